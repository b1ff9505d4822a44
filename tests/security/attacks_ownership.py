"""Other people's answers and assessments."""

from concurrent.futures import ThreadPoolExecutor

import mlflow

from tests.security.attack import Leaves, Table, thumb
from tests.security.world import EXPERT, OURS, Scene, World, machine, person, post
from tests.support.rating import ANN, BOB, stored_trace

attack = Table()
OPEN = {"raters": "anyone"}
SENDERS = {"Bob": person(BOB), "nobody": [], "a machine": machine()}


@attack("rating another's answer", "403; by its request's id 404")
def _(world: World, scene: Scene) -> None:
    """Bob, nobody and a machine send thumbs, stars, comments and corrections for Ann's trace."""
    contents = (
        {"value": False},
        {"dimension": "accuracy", "value": 1},
        {"value": None, "rationale": "bad"},
        {"value": None, "correction": "17"},
    )
    for headers in SENDERS.values():
        for content in contents:
            assert world.rate(headers, scene.trace_id, **content) == 403
        stars = {"trace_id": scene.trace_id, "accuracy": 1}
        assert world.send("POST", "/detailed", headers=headers, json=stars).status_code == 403
        mine = {"client_request_id": scene.client_request_id, "value": False}
        assert world.send("POST", headers=headers, json=mine).status_code == 404


@attack("another's request id as one's own", "lands on one's own answer")
def _(world: World, scene: Scene) -> Leaves:
    """Bob asks with Ann's `client_request_id`, then rates by it, and by Ann's trace with it."""
    trace_id = world.ask(person(BOB), client_request_id=scene.client_request_id)["trace_id"]
    said = {"client_request_id": scene.client_request_id, "value": False}
    answer = world.send("POST", headers=person(BOB), json=said)
    assert (answer.status_code, answer.json()["trace_id"]) == (201, trace_id)
    # Both ids at once, one of them Ann's: that is Ann's answer, and not Bob's to rate.
    assert world.rate(person(BOB), scene.trace_id, client_request_id="other") in (403, 422)
    return Leaves(new=(thumb(trace_id, BOB, False),))


@attack("deleting another's assessment by its id", "404, as for an id that does not exist", **OPEN)
def _(world: World, scene: Scene) -> None:
    """Bob, nobody and a machine DELETE and PATCH every id on Ann's trace, where anyone may rate."""
    params = {"trace_id": scene.trace_id}
    for headers in SENDERS.values():
        for assessment_id in (*scene.ids(), "a-unknown"):
            path = f"/{assessment_id}"
            gone = world.send("DELETE", path, headers=headers, params=params)
            changed = world.send(
                "PATCH", path, headers=headers, params=params, json={"value": False}
            )
            assert (gone.status_code, changed.status_code) == (404, 404)
            assert gone.json() == changed.json()


@attack("deleting a judge's, a script's or an expert's work on one's own answer", "404; untouched")
def _(world: World, scene: Scene) -> None:
    """Ann uses the ids; then she withdraws by name what only others have said."""
    params = {"trace_id": scene.trace_id}
    for assessment_id in (scene.judges_id, scene.experts_id, scene.codes_id):
        path = f"/{assessment_id}"
        assert world.send("DELETE", path, headers=person(ANN), params=params).status_code == 404
        body = {"value": True, "rationale": "mine now"}
        changed = world.send("PATCH", path, headers=person(ANN), params=params, json=body)
        assert changed.status_code == 404
    for name in ("expected_response", "accuracy", "comment"):
        by_name = {**params, "dimension": name}
        assert world.send("DELETE", headers=person(ANN), params=by_name).status_code == 200


@attack("an expert's expectation, by the expert's own name", "404; untouched", **OPEN)
def _(world: World, scene: Scene) -> None:
    """Whoever is signed in as the expert meets the routes: work done elsewhere is not a rating."""
    params = {"trace_id": scene.trace_id}
    path = f"/{scene.experts_id}"
    assert world.send("DELETE", path, headers=person(EXPERT), params=params).status_code == 404
    by_name = {**params, "dimension": "expected_response"}
    assert world.send("DELETE", headers=person(EXPERT), params=by_name).status_code == 200


@attack("a vote that all users share", "one each", **OPEN)
def _(world: World, scene: Scene) -> Leaves:
    """Bob rates Ann's answer where anyone may, changes his rating and withdraws it: Ann's stays."""
    assert world.rate(person(BOB), scene.trace_id) == 201
    assert world.rate(person(BOB), scene.trace_id, value=True) == 200
    params = {"trace_id": scene.trace_id}
    assert world.send("DELETE", headers=person(BOB), params=params).status_code == 200
    assert world.rate(person(BOB), scene.trace_id, rationale="no") == 201
    return Leaves(new=(thumb(scene.trace_id, BOB, False, "no"),))


@attack("replay", "one assessment, in the state last stated")
def _(world: World, scene: Scene) -> Leaves:
    """A captured rating is sent ten times more, five of them at once, and a change as often."""
    said = {"trace_id": scene.trace_id, "value": True, "rationale": OURS}
    captured = post(person(ANN), said)
    with ThreadPoolExecutor(5) as pool:
        answers = [*pool.map(world.raw, [captured] * 5), world.raw(*[captured] * 5)]
    assert {status for answer in answers for status, _ in answer} == {200}
    assert world.rate(person(ANN), scene.trace_id, value=False) == 200
    for _ in range(3):
        assert world.rate(person(ANN), scene.trace_id, value=False) == 200
    return Leaves(changed={scene.anns_id: thumb(scene.trace_id, ANN, False)})


@attack("a replayed withdrawal", "withdraws nothing newer by its id")
def _(world: World, scene: Scene) -> Leaves:
    """Ann withdraws, rates again, and the old DELETE by id is played again."""
    params = {"trace_id": scene.trace_id}
    path = f"/{scene.anns_id}"
    before = world.content()[scene.anns_id]
    assert world.send("DELETE", path, headers=person(ANN), params=params).status_code == 200
    assert scene.anns_id not in world.content()
    assert world.rate(person(ANN), scene.trace_id, value=True, rationale=OURS) == 201
    assert world.send("DELETE", path, headers=person(ANN), params=params).status_code == 404
    return Leaves(new=(before,), changed={scene.anns_id: ()})


@attack("a trace of another experiment", "404")
def _(world: World, scene: Scene) -> None:
    """The app could write there: Ann sends such a trace's id, marked as hers and unmarked."""
    _rate_elsewhere(world)


@attack("a trace of another experiment, where anyone may rate", "404", **OPEN)
def _(world: World, scene: Scene) -> None:
    """The same: `raters=anyone` opens this application's answers, not everybody's."""
    _rate_elsewhere(world)


def _rate_elsewhere(world: World) -> None:
    here = world.tracking.experiment_id
    mlflow.set_experiment(f"{world.tracking.experiment_name}-elsewhere")
    try:
        elsewhere = [stored_trace(asker) for asker in (ANN, BOB, None)]
    finally:
        mlflow.set_experiment(experiment_id=here)
    for trace_id in elsewhere:
        assert world.rate(person(ANN), trace_id) == 404
        params = {"trace_id": trace_id}
        assert world.send("DELETE", headers=person(ANN), params=params).status_code == 404
        trace = mlflow.get_trace(trace_id)
        assert trace is not None
        assert trace.info.assessments == []


@attack("reading others' ratings", "an empty list")
def _(world: World, scene: Scene) -> None:
    """Bob and nobody list by Ann's trace, her request and her session."""
    trace_id = world.ask(person(ANN), session_id="anns-session")["trace_id"]
    asked = (
        {"trace_id": [scene.trace_id, trace_id]},
        {"client_request_id": scene.client_request_id},
        {"session_id": "anns-session"},
        {"session_id": "anns-session' OR '1' = '1"},
        {"session_id": "%"},
    )
    for headers in SENDERS.values():
        for params in asked:
            answer = world.send("GET", headers=headers, params=params)
            assert (answer.status_code, answer.json()) == (200, [])


@attack("names that nobody configured", "422")
def _(world: World, scene: Scene) -> None:
    """Ann rates dimensions called like judges, like the thumb and like our own prefixes."""
    for dimension in ("correctness", "feedback", "user_feedback", "expected_response", "accuracy "):
        status = world.rate(person(ANN), scene.trace_id, dimension=dimension, value=3)
        assert status == 422, dimension
    assert world.rate(person(ANN), scene.trace_id, value=None, signal="copy") == 422
    ratings = {"trace_id": scene.trace_id, "ratings": {"safety": 1}}
    answer = world.send("POST", "/detailed", headers=person(ANN), json=ratings)
    assert answer.status_code == 422
