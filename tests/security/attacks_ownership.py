"""Other people's answers and assessments."""

from concurrent.futures import ThreadPoolExecutor

import mlflow

from tests.security.attack import Effect, Table, thumb
from tests.security.attacked_app import (
    EXPERT,
    OURS,
    AttackedApp,
    RatedAnswer,
    machine,
    person,
    post,
)
from tests.support.rating import ANN, BOB, stored_trace

attack = Table()
OPEN = {"raters": "anyone"}
SENDERS = {"Bob": person(BOB), "nobody": [], "a machine": machine()}


@attack("rating another's answer", "403; by its request's id 404")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Bob, nobody and a machine send thumbs, stars, comments and corrections for Ann's trace."""
    contents = (
        {"value": False},
        {"dimension": "accuracy", "value": 1},
        {"value": None, "rationale": "bad"},
        {"value": None, "correction": "17"},
    )
    for headers in SENDERS.values():
        for content in contents:
            assert app.rate(headers, target.trace_id, **content) == 403
        stars = {"trace_id": target.trace_id, "accuracy": 1}
        assert app.send("POST", "/detailed", headers=headers, json=stars).status_code == 403
        mine = {"client_request_id": target.client_request_id, "value": False}
        assert app.send("POST", headers=headers, json=mine).status_code == 404


@attack("another's request id as one's own", "lands on one's own answer")
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """Bob asks with Ann's `client_request_id`, then rates by it, and by Ann's trace with it."""
    trace_id = app.ask(person(BOB), client_request_id=target.client_request_id)["trace_id"]
    body = {"client_request_id": target.client_request_id, "value": False}
    answer = app.send("POST", headers=person(BOB), json=body)
    assert (answer.status_code, answer.json()["trace_id"]) == (201, trace_id)
    # Both ids at once, one of them Ann's: that is Ann's answer, and not Bob's to rate.
    assert app.rate(person(BOB), target.trace_id, client_request_id="other") in (403, 422)
    return Effect(new=(thumb(trace_id, BOB, False),))


@attack("deleting another's assessment by its id", "404, as for an id that does not exist", **OPEN)
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Bob, nobody and a machine DELETE and PATCH every id on Ann's trace, where anyone may rate."""
    params = {"trace_id": target.trace_id}
    for headers in SENDERS.values():
        for assessment_id in (*target.ids(), "a-unknown"):
            path = f"/{assessment_id}"
            gone = app.send("DELETE", path, headers=headers, params=params)
            changed = app.send("PATCH", path, headers=headers, params=params, json={"value": False})
            assert (gone.status_code, changed.status_code) == (404, 404)
            assert gone.json() == changed.json()


@attack("deleting a judge's, a script's or an expert's work on one's own answer", "404; untouched")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Ann uses the ids; then she withdraws by name what only others have said."""
    params = {"trace_id": target.trace_id}
    for assessment_id in (target.judges_id, target.experts_id, target.codes_id):
        path = f"/{assessment_id}"
        assert app.send("DELETE", path, headers=person(ANN), params=params).status_code == 404
        body = {"value": True, "rationale": "mine now"}
        changed = app.send("PATCH", path, headers=person(ANN), params=params, json=body)
        assert changed.status_code == 404
    for name in ("expected_response", "accuracy", "comment"):
        by_name = {**params, "dimension": name}
        assert app.send("DELETE", headers=person(ANN), params=by_name).status_code == 200


@attack("an expert's expectation, by the expert's own name", "404; untouched", **OPEN)
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Whoever is signed in as the expert meets the routes: work done elsewhere is not a rating."""
    params = {"trace_id": target.trace_id}
    path = f"/{target.experts_id}"
    assert app.send("DELETE", path, headers=person(EXPERT), params=params).status_code == 404
    by_name = {**params, "dimension": "expected_response"}
    assert app.send("DELETE", headers=person(EXPERT), params=by_name).status_code == 200


@attack("a vote that all users share", "one each", **OPEN)
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """Bob rates Ann's answer where anyone may, changes his rating and withdraws it: Ann's stays."""
    assert app.rate(person(BOB), target.trace_id) == 201
    assert app.rate(person(BOB), target.trace_id, value=True) == 200
    params = {"trace_id": target.trace_id}
    assert app.send("DELETE", headers=person(BOB), params=params).status_code == 200
    assert app.rate(person(BOB), target.trace_id, rationale="no") == 201
    return Effect(new=(thumb(target.trace_id, BOB, False, "no"),))


@attack("replay", "one assessment, in the state last stated")
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """A captured rating is sent ten times more, five of them at once, and a change as often."""
    body = {"trace_id": target.trace_id, "value": True, "rationale": OURS}
    captured = post(person(ANN), body)
    with ThreadPoolExecutor(5) as pool:
        answers = [*pool.map(app.raw, [captured] * 5), app.raw(*[captured] * 5)]
    assert {status for answer in answers for status, _ in answer} == {200}
    assert app.rate(person(ANN), target.trace_id, value=False) == 200
    for _ in range(3):
        assert app.rate(person(ANN), target.trace_id, value=False) == 200
    return Effect(changed={target.anns_id: thumb(target.trace_id, ANN, False)})


@attack("a replayed withdrawal", "withdraws nothing newer by its id")
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """Ann withdraws, rates again, and the old DELETE by id is played again."""
    params = {"trace_id": target.trace_id}
    path = f"/{target.anns_id}"
    before = app.content()[target.anns_id]
    assert app.send("DELETE", path, headers=person(ANN), params=params).status_code == 200
    assert target.anns_id not in app.content()
    assert app.rate(person(ANN), target.trace_id, value=True, rationale=OURS) == 201
    assert app.send("DELETE", path, headers=person(ANN), params=params).status_code == 404
    return Effect(new=(before,), changed={target.anns_id: ()})


@attack("a trace of another experiment", "404")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """The app could write there: Ann sends such a trace's id, marked as hers and unmarked."""
    _rate_elsewhere(app)


@attack("a trace of another experiment, where anyone may rate", "404", **OPEN)
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """The same: `raters=anyone` opens this application's answers, not everybody's."""
    _rate_elsewhere(app)


def _rate_elsewhere(app: AttackedApp) -> None:
    here = app.tracking.experiment_id
    mlflow.set_experiment(f"{app.tracking.experiment_name}-elsewhere")
    try:
        elsewhere = [stored_trace(asker) for asker in (ANN, BOB, None)]
    finally:
        mlflow.set_experiment(experiment_id=here)
    for trace_id in elsewhere:
        assert app.rate(person(ANN), trace_id) == 404
        params = {"trace_id": trace_id}
        assert app.send("DELETE", headers=person(ANN), params=params).status_code == 404
        trace = mlflow.get_trace(trace_id)
        assert trace is not None
        assert trace.info.assessments == []


@attack("reading others' ratings", "an empty list")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Bob and nobody list by Ann's trace, her request and her session."""
    trace_id = app.ask(person(ANN), session_id="anns-session")["trace_id"]
    asked = (
        {"trace_id": [target.trace_id, trace_id]},
        {"client_request_id": target.client_request_id},
        {"session_id": "anns-session"},
        {"session_id": "anns-session' OR '1' = '1"},
        {"session_id": "%"},
    )
    for headers in SENDERS.values():
        for params in asked:
            answer = app.send("GET", headers=headers, params=params)
            assert (answer.status_code, answer.json()) == (200, [])


@attack("names that nobody configured", "422")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """Ann rates dimensions called like judges, like the thumb and like our own prefixes."""
    for dimension in ("correctness", "feedback", "user_feedback", "expected_response", "accuracy "):
        status = app.rate(person(ANN), target.trace_id, dimension=dimension, value=3)
        assert status == 422, dimension
    assert app.rate(person(ANN), target.trace_id, value=None, signal="copy") == 422
    ratings = {"trace_id": target.trace_id, "ratings": {"safety": 1}}
    answer = app.send("POST", "/detailed", headers=person(ANN), json=ratings)
    assert answer.status_code == 422
