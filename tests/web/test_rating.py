"""Ratings given, changed and withdrawn over HTTP, and read back from MLflow."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import mlflow
import pytest
from mlflow.entities import Assessment, AssessmentSource
from starlette.requests import Request

from agent_feedback.web.routes import preferences
from tests.support.rating import (
    ANN,
    BOB,
    OpenSite,
    Site,
    assessments_of,
    held,
    stored_trace,
    value_of,
)
from tests.support.waiting import eventually


def the_only(trace_id: str) -> Assessment:
    """Return the one valid assessment of a trace."""
    (only,) = assessments_of(trace_id)
    return only


def rationale_of(assessment: Assessment) -> str | None:
    """Return an assessment's rationale: MLflow's SQLite store shows a cleared one as empty."""
    return assessment.rationale or None


def reasons_of(assessment: Assessment) -> list[str]:
    """Return the reasons that an assessment carries."""
    found: list[str] = json.loads((assessment.metadata or {})["agent_feedback.reasons"])
    return found


@pytest.mark.usefixtures("any_tracking")
def test_a_rating_is_given_and_changed_in_place(site: Site) -> None:
    """One assessment of that person's, with one id, and nothing left of the rating before."""
    trace_id = stored_trace(client_request_id="request-1")
    body = {"trace_id": trace_id, "value": False, "rationale": "no", "reasons": ["incorrect"]}
    given = site.post(body)
    assert given.status_code == 201
    first = given.json()
    assert first == {
        "status": "ok",
        "trace_id": trace_id,
        "client_request_id": "request-1",
        "name": "user_feedback",
        "value": False,
        "rationale": "no",
        "reasons": ["incorrect"],
        "assessment_id": first["assessment_id"],
        "revision": 1,
        "updated_at": first["updated_at"],
    }
    age = datetime.now(timezone.utc) - datetime.fromisoformat(first["updated_at"])
    assert 0 <= age.total_seconds() < 60
    stored = the_only(trace_id)
    assert stored.assessment_id == first["assessment_id"]
    assert (stored.name, value_of(stored), stored.rationale) == ("user_feedback", False, "no")
    assert (stored.source.source_type, stored.source.source_id) == ("HUMAN", ANN)
    assert reasons_of(stored) == ["incorrect"]

    changed = site.post({"trace_id": trace_id, "value": True})
    assert changed.status_code == 200
    assert changed.json()["assessment_id"] == first["assessment_id"]
    assert (changed.json()["revision"], changed.json()["rationale"]) == (2, None)
    stored = the_only(trace_id)
    assert (value_of(stored), rationale_of(stored), reasons_of(stored)) == (True, None, [])
    assert (stored.source.source_type, stored.source.source_id) == ("HUMAN", ANN)

    amended = site.patch(first["assessment_id"], {"rationale": "yes"}, trace_id=trace_id)
    assert (amended.status_code, amended.json()["value"]) == (200, True)
    stored = the_only(trace_id)
    assert (value_of(stored), stored.rationale) == (True, "yes")
    cleared = site.patch(first["assessment_id"], {"rationale": None}, trace_id=trace_id)
    assert (cleared.status_code, rationale_of(the_only(trace_id))) == (200, None)


@pytest.mark.usefixtures("any_tracking")
def test_a_withdrawal_is_for_good(site: Site) -> None:
    """Withdrawn by its id, twice if you like, a rating is gone; the next one is another one."""
    trace_id = stored_trace()
    first = site.post({"trace_id": trace_id, "value": True}).json()
    for _ in range(2):
        gone = site.delete(f"/{first['assessment_id']}", trace_id=trace_id)
        assert (gone.status_code, gone.json()["value"]) == (200, None)
        assert assessments_of(trace_id) == []
    assert site.mine(trace_id=trace_id) == []

    again = site.post({"trace_id": trace_id, "value": True})
    assert again.status_code == 201
    assert again.json()["assessment_id"] != first["assessment_id"]
    assert the_only(trace_id).assessment_id == again.json()["assessment_id"]


GOOD: dict[str, tuple[dict[str, Any], Mapping[str, Any], dict[str, Any]]] = {
    "thumbs up": ({"value": True}, {"user_feedback": True}, {"value": True}),
    "is_positive": ({"is_positive": False}, {"user_feedback": False}, {"value": False}),
    "both, agreeing": (
        {"is_positive": True, "value": True},
        {"user_feedback": True},
        {"value": True},
    ),
    "stars": (
        {"dimension": "accuracy", "value": 4},
        {"user_accuracy": 0.8},
        {"value": 4, "name": "user_accuracy"},
    ),
    "part of a star": (
        {"dimension": "helpfulness", "value": 3.5},
        {"user_helpfulness": 0.7},
        {"value": 3.5},
    ),
    "a comment alone": (
        {"rationale": "hm"},
        {"user_comment": "hm"},
        {"name": "user_comment", "value": None, "rationale": "hm"},
    ),
    "a correction alone": (
        {"correction": "16 KiB"},
        {"expected_response": "16 KiB"},
        {"name": "expected_response", "value": "16 KiB"},
    ),
    "a signal": (
        {"signal": "copy"},
        {"implicit_copy": True},
        {"name": "implicit_copy", "value": True},
    ),
    "text as people write it": (
        {"value": True, "rationale": " Zoë\x00 \N{GRINNING FACE}\n'; DROP TABLE--\ud800 "},
        {"user_feedback": True},
        {"rationale": " Zoë \N{GRINNING FACE}\n'; DROP TABLE-- "},
    ),
    "null is absent": (
        {"value": True, "dimension": None, "rationale": None, "reasons": None, "correction": None},
        {"user_feedback": True},
        {},
    ),
}


@pytest.mark.usefixtures("tracking")
def test_every_kind_of_rating_is_stored_as_what_it_is(open_site: OpenSite) -> None:
    """Names and values in MLflow are the contract's; the answer shows them in its own units."""
    site = open_site(implicit_signals=("copy",))
    for name, (sent, stored, shown) in GOOD.items():
        trace_id = stored_trace()
        content = json.dumps(sent | {"trace_id": trace_id})
        answer = site.ask(
            "POST", content=content, headers={"content-type": "application/json; charset=utf-8"}
        )
        assert answer.status_code == 201, (name, answer.text)
        assert held(trace_id) == stored, name
        assert answer.json().items() >= shown.items(), name


@pytest.mark.usefixtures("tracking")
def test_a_thumb_may_bring_its_correction(site: Site) -> None:
    """Both are stored, the correction as an expectation with an answer of its own."""
    trace_id = stored_trace()
    answer = site.post({"trace_id": trace_id, "value": False, "correction": "16 KiB"})
    assert answer.status_code == 201
    body = answer.json()
    correction = body["correction"]
    assert (body["name"], body["value"]) == ("user_feedback", False)
    assert (correction["name"], correction["value"]) == ("expected_response", "16 KiB")
    assert correction.keys() == body.keys() - {"correction"}
    by_name = {each.name: each for each in assessments_of(trace_id)}
    expectation = by_name["expected_response"]
    assert expectation.expectation is not None
    assert expectation.assessment_id == correction["assessment_id"]
    assert (expectation.source.source_type, expectation.source.source_id) == ("HUMAN", ANN)

    assert "correction" not in site.post({"trace_id": trace_id, "value": True}).json()
    assert held(trace_id) == {"user_feedback": True, "expected_response": "16 KiB"}
    path = f"/{correction['assessment_id']}"
    changed = site.ask("PATCH", path, json={"correction": "17"}, params={"trace_id": trace_id})
    assert (changed.status_code, changed.json()["value"]) == (200, "17")
    assert site.delete(trace_id=trace_id).status_code == 200
    assert held(trace_id) == {"expected_response": "17"}
    assert site.delete(trace_id=trace_id, dimension="expected_response").status_code == 200
    assert held(trace_id) == {}


@pytest.mark.usefixtures("any_tracking")
@pytest.mark.parametrize("flat", [True, False])
def test_several_dimensions_are_rated_at_once(site: Site, flat: bool) -> None:
    """Stars ÷ scale, the rationale to the first in the settings' order, cleared on the others."""
    trace_id = stored_trace()

    def rate(rationale: str | None, **stars: float) -> Any:
        ratings = stars if flat else {"ratings": stars}
        body = {"trace_id": trace_id, "rationale": rationale, "reasons": ["complete"]}
        return site.post(body | ratings, "/detailed")

    answer = rate("so", relevance=1, helpfulness=3)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["status"], body["trace_id"]) == ("ok", trace_id)
    shown = [(each["name"], each["value"], each["rationale"]) for each in body["ratings"]]
    assert shown == [("user_helpfulness", 3, "so"), ("user_relevance", 1, None)]
    assert held(trace_id) == {"user_helpfulness": 0.6, "user_relevance": 0.2}

    assert rate("now", relevance=2, helpfulness=3, accuracy=5).status_code == 201
    texts = {each.name: (rationale_of(each), reasons_of(each)) for each in assessments_of(trace_id)}
    assert texts == {
        "user_accuracy": ("now", ["complete"]),
        "user_helpfulness": (None, []),
        "user_relevance": (None, []),
    }
    assert rate(None, accuracy=1).status_code == 200
    assert held(trace_id) == {
        "user_accuracy": 0.2,
        "user_helpfulness": 0.6,
        "user_relevance": 0.4,
    }


@pytest.mark.usefixtures("tracking")
def test_several_dimensions_are_one_transaction(site: Site) -> None:
    """Where one of them is refused, none is stored."""
    trace_id = stored_trace()
    answer = site.post({"trace_id": trace_id, "accuracy": 5, "relevance": 9}, "/detailed")
    assert answer.status_code == 422
    assert site.mine(trace_id=trace_id) == []
    assert held(trace_id) == {}


@pytest.mark.usefixtures("tracking")
@pytest.mark.parametrize(
    "target",
    [
        lambda trace: ({"trace_id": trace}, {}),
        lambda trace: ({}, {"trace_id": trace}),
        lambda trace: ({"trace_id": trace}, {"trace_id": trace}),
        lambda _: ({"client_request_id": "request-1"}, {}),
        lambda _: ({}, {"client_request_id": "request-1"}),
        lambda trace: ({"trace_id": trace}, {"client_request_id": "request-1"}),
        lambda trace: ({"trace_id": trace.removeprefix("tr-")}, {}),
    ],
    ids=["body", "query", "both", "request", "request in query", "agreeing", "bare id"],
)
@pytest.mark.parametrize("path", ["", "/detailed"])
def test_an_answer_can_be_named_in_several_ways(site: Site, path: str, target: Any) -> None:
    """Body or query, trace or request: the answer says the key, whichever it was."""
    trace_id = stored_trace(client_request_id="request-1")
    body, query = target(trace_id)
    answer = site.post(body | ({"accuracy": 5} if path else {"value": True}), path, params=query)
    assert answer.status_code == 201, answer.text
    assert answer.json()["trace_id"] == trace_id
    assert len(held(trace_id)) == 1


@pytest.mark.usefixtures("tracking")
def test_double_clicks_and_retries_make_one(site: Site) -> None:
    """The same rating many times is one assessment, with one id."""
    trace_id = stored_trace()
    answers = [site.post({"trace_id": trace_id, "value": True}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    assert len({answer.json()["assessment_id"] for answer in answers}) == 1
    assert held(trace_id) == {"user_feedback": True}


@pytest.mark.usefixtures("tracking")
def test_repeating_a_rating_repairs_what_changed_elsewhere(site: Site) -> None:
    """The person's new rating counts, also where MLflow's UI has changed it since."""
    trace_id = stored_trace()
    given = site.post({"trace_id": trace_id, "value": True}).json()
    mlflow.update_assessment(
        trace_id=trace_id,
        assessment_id=given["assessment_id"],
        assessment=mlflow.entities.Feedback(name="user_feedback", value=False),
    )
    assert site.post({"trace_id": trace_id, "value": True}).status_code == 200
    assert held(trace_id) == {"user_feedback": True}
    assert site.delete(trace_id=trace_id).status_code == 200
    person = AssessmentSource(source_type="HUMAN", source_id=ANN)
    mlflow.log_feedback(trace_id=trace_id, name="user_feedback", value=True, source=person)
    assert site.delete(trace_id=trace_id).status_code == 200
    assert held(trace_id) == {}


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ([], True),
        (["wait=10"], True),
        (['note="not respond-async"'], True),
        (["respond-async, wait=10"], False),
        (["wait=10,Respond-Async; x=1"], False),
        (["return=representation", "respond-async"], False),
    ],
)
def test_a_preference_is_read_wherever_it_stands(headers: list[str], waits: bool) -> None:
    """One of several preferences, in one header or in several, and not a part of another one."""
    raw = [(b"prefer", header.encode()) for header in headers]
    request = Request({"type": "http", "headers": raw})
    assert ("respond-async" not in preferences(request)) is waits


@pytest.mark.usefixtures("tracking")
def test_who_does_not_want_to_wait_does_not(site: Site) -> None:
    """With Prefer: respond-async the answer is 202, and the rating lands by itself."""
    trace_id = stored_trace()
    wait_not = {"prefer": "respond-async, wait=10"}
    answer = site.post({"trace_id": trace_id, "value": True}, headers=wait_not)
    assert (answer.status_code, answer.json()["status"]) in ((202, "pending"), (201, "ok"))
    landed = eventually(lambda: held(trace_id), bool)
    assert landed == {"user_feedback": True}
    assert re.fullmatch(r"a-[0-9a-f]{32}", answer.json()["assessment_id"])


@pytest.mark.usefixtures("tracking")
def test_an_answer_waits_no_longer_than_the_setting(open_site: OpenSite) -> None:
    """With wait_seconds=0 every rating is answered as soon as it is durable."""
    site = open_site(wait_seconds=0)
    trace_id = stored_trace()
    assert site.post({"trace_id": trace_id, "value": True}).status_code in (201, 202)
    assert eventually(lambda: held(trace_id), bool) == {"user_feedback": True}
    assert eventually(lambda: site.mine(trace_id=trace_id)[0]["status"], "ok".__eq__) == "ok"


@pytest.mark.usefixtures("tracking")
def test_a_correction_outlives_its_thumb_and_the_answer_says_so(site: Site) -> None:
    """By name or by id, once or twice: the thumb goes, and its answer carries what stays."""
    trace_id = stored_trace()
    given = site.post({"trace_id": trace_id, "value": False, "correction": "16 KiB"}).json()
    for path in ("", "", f"/{given['assessment_id']}"):
        gone = site.delete(path, trace_id=trace_id)
        assert (gone.status_code, gone.json()["name"]) == (200, "user_feedback")
        assert gone.json()["correction"] == given["correction"]
        assert held(trace_id) == {"expected_response": "16 KiB"}
    too = site.delete(trace_id=trace_id, dimension="expected_response").json()
    assert (too["assessment_id"], too["value"]) == (given["correction"]["assessment_id"], None)
    assert "correction" not in too
    assert site.delete(trace_id=trace_id).json()["correction"] is None
    assert held(trace_id) == {}


@pytest.mark.usefixtures("tracking")
def test_nobody_elses_correction_is_in_the_answer(site: Site) -> None:
    """Another person's correction is not in my answer."""
    trace_id = stored_trace("anonymous")
    site.post({"trace_id": trace_id, "value": False, "correction": "16 KiB"})
    assert site.delete(trace_id=trace_id, user=BOB).json()["correction"] is None
    assert held(trace_id) == {"user_feedback": False, "expected_response": "16 KiB"}


@pytest.mark.usefixtures("tracking")
def test_withdrawing_stars_says_nothing_of_the_correction(site: Site) -> None:
    """It belongs to the thumb."""
    trace_id = stored_trace()
    site.post({"trace_id": trace_id, "value": False, "correction": "16 KiB"})
    assert "correction" not in site.delete(trace_id=trace_id, dimension="accuracy").json()


@pytest.mark.usefixtures("tracking")
def test_withdrawing_what_was_never_given_is_fine(site: Site) -> None:
    """A withdrawal says what should be; where it is so already, that is success."""
    trace_id = stored_trace(client_request_id="request-1")
    for dimension in (None, "accuracy", "comment", "expected_response"):
        query = {"dimension": dimension} if dimension else {}
        answer = site.delete(trace_id=trace_id, **query)
        assert (answer.status_code, answer.json()["value"]) == (200, None)
        assert answer.json()["client_request_id"] == "request-1"
    assert held(trace_id) == {}
