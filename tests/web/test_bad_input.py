"""Bodies, targets and headers that are not right: one sentence each, and nothing stored."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from agent_feedback import AgentFeedback
from agent_feedback.web.schemas import MAX_BODY
from tests.support.ledgers import trace_named
from tests.support.rating import ANN, UNKNOWN_TRACE, Site, opened_site, settings_in
from tests.support.serving import serving

JSON = {"content-type": "application/json"}
TRACE = UNKNOWN_TRACE
SECRET = "s3cret-of-the-persons-own"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve once for all rows: none of them gets as far as looking for a trace."""
    settings = settings_in(tmp_path_factory.mktemp("bad-input"), writes_per_minute=10_000)
    feedback = AgentFeedback(settings)
    with serving(feedback.app()) as url, opened_site(lambda _: url, feedback) as opened:
        yield opened


def sentence(answer: httpx.Response, status: int) -> str:
    """Check the form of a refusal, and return its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["detail"]
    detail = body["detail"]
    assert isinstance(detail, str)
    assert detail.endswith((".", "-"))
    assert "\n" not in detail
    assert "Traceback" not in detail
    assert SECRET not in detail
    return detail


def nothing_is_pending(site: Site) -> bool:
    """Say whether nothing reached the ledger."""
    status: dict[str, Any] = site.ask("GET", "/status").json()
    return bool(status["pending"] == status["undeliverable"] == 0)


def thumb(**more: Any) -> str:
    """Build the text of a thumb's body."""
    return json.dumps({"trace_id": TRACE, "value": True} | more)


def stars(number: str) -> str:
    """Build the text of a dimension's body with a number as it is written."""
    return f'{{"trace_id": "{TRACE}", "dimension": "accuracy", "value": {number}}}'


NOT_JSON: dict[str, str | bytes] = {
    "empty": "",
    "a word": "up",
    "cut off": '{"value": tr',
    "single quotes": "{'value': true}",
    "not UTF-8": b'{"rationale": "\xff\xfe"}',
    "two objects": "{}{}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("POST", "/detailed"), ("PATCH", "/a-1")]
)
def test_what_is_not_json_is_400(site: Site, method: str, path: str, body: str | bytes) -> None:
    """A body that no JSON parser takes is refused as such, on every route that has one."""
    answer = site.ask(method, path, content=body, headers=JSON, params={"trace_id": TRACE})
    sentence(answer, 400)


INVALID: dict[str, str] = {
    "an array": "[]",
    "a number": "1",
    "null": "null",
    "a text as value": thumb(value="true"),
    "a number as a thumb": thumb(value=1),
    "an object as value": thumb(value={"up": True}),
    "a list as value": thumb(value=[True]),
    "a bool as stars": stars("true"),
    "a text as stars": stars('"5"'),
    "no stars": stars("0"),
    "too many stars": stars("5.01"),
    "negative stars": stars("-3"),
    "NaN": stars("NaN"),
    "Infinity": stars("Infinity"),
    "-Infinity": stars("-Infinity"),
    "more than a double": stars("1e999"),
    "a huge number": stars("1" + "0" * 400),
    "a number of 5,000 digits": stars("1" * 5000),
    "an unknown dimension": thumb(dimension=SECRET),
    "a dimension that is no text": thumb(dimension=["accuracy"]),
    "nothing to store": json.dumps({"trace_id": TRACE}),
    "nothing but null": thumb(value=None),
    "a blank rationale": json.dumps({"trace_id": TRACE, "rationale": " \n"}),
    "a long rationale": thumb(rationale="x" * 4001),
    "a rationale that is no text": thumb(rationale={"text": SECRET}),
    "a long correction": thumb(correction="x" * 8001),
    "unknown reasons": thumb(reasons=[SECRET]),
    "reasons that are no list": thumb(reasons="incorrect"),
    "reasons that are no texts": thumb(reasons=[1]),
    "reasons without end": thumb(reasons=["incorrect"] * 500),
    "a signal that is not taken": json.dumps({"trace_id": TRACE, "signal": "copy"}),
    "value and is_positive disagree": thumb(is_positive=False),
    "is_positive that is no bool": json.dumps({"trace_id": TRACE, "is_positive": 1}),
    "an array, deeply nested": "[" * 20 + "]" * 20,
    "nested without end": '{"a": ' + "[" * 7000 + "]" * 7000 + "}",
    "deeply nested": thumb(extra=json.loads("[" * 20 + "]" * 20)),
    "a lone surrogate as a trace": thumb(trace_id="\ud800"),
    "a lone surrogate as a reason": thumb(reasons=["\ud800"]),
    "a lone surrogate as a dimension": thumb(dimension="\ud800", value=3),
    "no target": json.dumps({"value": True}),
    "no trace": json.dumps({"value": True, "trace_id": None}),
    "no trace and no request": thumb(trace_id=None, client_request_id=None),
    "an empty trace": thumb(trace_id=""),
    "a trace that is no text": thumb(trace_id=7),
    "a trace with NUL": thumb(trace_id=f"{TRACE}\x00"),
    "a trace that climbs": thumb(trace_id="trace:/main.support/../../api"),
    "a trace that climbs from tr-": thumb(trace_id="tr-../experiments"),
    "a trace as long as can be": thumb(trace_id="tr-" + "0" * 12_000),
    "a trace that is too short": thumb(trace_id="tr-123"),
    "a trace that is too long": thumb(trace_id=f"{TRACE}0"),
    "a trace of a catalog that is too short": thumb(trace_id="trace:/main.support/123"),
    "a part of a bare trace": thumb(trace_id=TRACE[4:]),
    "a request's id with a space": thumb(trace_id=None, client_request_id="a b"),
    "a request's id with a quote": thumb(trace_id=None, client_request_id="x' OR '1'='1"),
    "a request's id that is too long": thumb(trace_id=None, client_request_id="x" * 51),
}


@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID.keys())
def test_invalid_feedback_is_422(site: Site, body: str) -> None:
    """A body that is JSON and no feedback is refused in one sentence that repeats none of it."""
    sentence(site.ask("POST", content=body, headers=JSON), 422)


INVALID_DETAILED: dict[str, Any] = {
    "no dimension": {},
    "an empty object": {"ratings": {}},
    "an unknown dimension": {"ratings": {SECRET: 3}},
    "an unknown flat dimension": {SECRET: 3},
    "an unknown flat dimension beside a known one": {"accuracy": 4, SECRET: 3},
    "a text": {"ratings": {"accuracy": "3"}},
    "a flat text": {"accuracy": "3"},
    "a bool": {"ratings": {"accuracy": True}},
    "a flat bool": {"accuracy": True},
    "a flat object": {"accuracy": {"stars": SECRET}},
    "null": {"ratings": {"accuracy": None}},
    "off the scale": {"accuracy": 4, "relevance": 6},
    "a huge number": {"accuracy": 10**400},
    "a list": {"ratings": [3]},
    "a long rationale": {"accuracy": 3, "rationale": "x" * 4001},
    "an unknown reason": {"accuracy": 3, "reasons": [SECRET]},
}


@pytest.mark.parametrize("body", INVALID_DETAILED.values(), ids=INVALID_DETAILED.keys())
def test_invalid_detailed_feedback_is_422(site: Site, body: dict[str, Any]) -> None:
    """One dimension that is wrong refuses all of them."""
    sentence(site.post({"trace_id": TRACE} | body, "/detailed"), 422)


@pytest.mark.parametrize(
    "body",
    [
        {"valeu": True},
        {"trace_id": TRACE},
        {"value": "up"},
        {"rationale": 5},
        {"reasons": [SECRET, None]},
        {"rationale": "x", SECRET: 1},
    ],
)
def test_an_invalid_change_is_422(site: Site, body: dict[str, Any]) -> None:
    """A change names members of a rating, in their types: a misspelt one is no silent success."""
    sentence(site.patch("a-1", body, trace_id=TRACE), 422)


KNOWN = {
    ("POST", ""): "trace_id, client_request_id, value, is_positive, dimension, rationale, reasons,"
    " correction, signal",
    ("POST", "/detailed"): "trace_id, client_request_id, ratings, rationale, reasons, accuracy,"
    " helpfulness, relevance",
    ("PATCH", "/a-1"): "value, rationale, reasons, correction",
}
UNKNOWN = {
    "comment": "comment",
    "valeu": "valeu",
    "Value": "Value",
    "trace_Id2": "trace_Id2",
    SECRET: "A member",
    "x" * 31: "A member",
    "": "A member",
    "value ": "A member",
    "valu\u0435": "A member",
    "va\nlue": "A member",
    "\ud800": "A member",
    "<b>value</b>": "A member",
}


@pytest.mark.parametrize(("name", "shown"), UNKNOWN.items(), ids=range(len(UNKNOWN)))
@pytest.mark.parametrize(("route", "known"), KNOWN.items(), ids=lambda each: str(each)[:20])
def test_an_unknown_member_is_named_with_the_known_ones(
    site: Site, route: tuple[str, str], known: str, name: str, shown: str
) -> None:
    """An unknown member is refused, whatever else is sent; its value is not repeated."""
    method, path = route
    body = {"ratings": {"accuracy": 3}} if "detailed" in path else {"value": True}
    content = json.dumps(body | {name: SECRET})
    answer = site.ask(method, path, content=content, headers=JSON, params={"trace_id": TRACE})
    assert sentence(answer, 422) == f"{shown} is unknown here: send {known}."


def test_a_dimension_that_is_rated_twice_is_422(site: Site) -> None:
    """Of two numbers of stars for one dimension, none is taken."""
    twice = {"trace_id": TRACE, "accuracy": 3, "ratings": {"accuracy": 4}}
    assert "twice" in sentence(site.post(twice, "/detailed"), 422)


DISAGREEING: list[tuple[dict[str, str], dict[str, str]]] = [
    ({"trace_id": TRACE}, {"trace_id": trace_named(1)}),
    ({"client_request_id": "request-1"}, {"client_request_id": "request-2"}),
    ({"trace_id": TRACE, "client_request_id": "r-1"}, {"client_request_id": "r-2"}),
]


@pytest.mark.parametrize("path", ["", "/detailed"])
@pytest.mark.parametrize(("body", "query"), DISAGREEING)
def test_two_targets_that_disagree_are_422(
    site: Site, path: str, body: dict[str, str], query: dict[str, str]
) -> None:
    """A body and a query that name two answers name none."""
    rating = body | ({"accuracy": 3} if path else {"value": True})
    assert "two different" in sentence(site.post(rating, path, params=query), 422)


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", ""],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("POST", "/detailed"), ("PATCH", "/a-1")]
)
def test_another_content_type_is_415(site: Site, method: str, path: str, kind: str) -> None:
    """What a form or a cross-site page can send without asking is not taken for JSON."""
    headers = {"content-type": kind} if kind else {}
    answer = site.ask(method, path, content=thumb(), headers=headers, params={"trace_id": TRACE})
    sentence(answer, 415)


def _chunks(size: int) -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        yield b'{"rationale": "'
        for _ in range(size // 1000):
            yield b"x" * 1000
        yield b'"}'

    return chunks


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("POST", "/detailed"), ("PATCH", "/a-1")]
)
def test_a_large_body_is_413(site: Site, method: str, path: str, chunked: bool) -> None:
    """More than any feedback needs is refused, whether or not its length was told beforehand."""
    body = _chunks(MAX_BODY + 1000)()
    content = body if chunked else b"".join(body)
    answer = site.ask(method, path, content=content, headers=JSON, params={"trace_id": TRACE})
    assert f"{MAX_BODY:,} bytes" in sentence(answer, 413)


def test_the_longest_body_is_not_too_much(site: Site) -> None:
    """The limit itself is allowed: such a body is read, and refused for what it says."""
    body = json.dumps({"rationale": ""})
    full = body[:-2] + "x" * (MAX_BODY - len(body)) + body[-2:]
    assert len(full) == MAX_BODY
    sentence(site.ask("POST", content=full, headers=JSON), 422)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "?trace_id=../x"),
        ("GET", "?trace_id=%00"),
        ("GET", "?client_request_id=a%20b"),
        ("GET", "?session_id="),
        ("GET", "?session_id=%00"),
        ("GET", "?session_id=a%0Ab"),
        ("GET", f"?session_id={'x' * 251}"),
        ("GET", "?" + "&".join([f"trace_id={TRACE}"] * 101)),
        ("DELETE", ""),
        ("DELETE", "/a-1"),
        ("DELETE", "/%00"),
        ("DELETE", "?trace_id=tr-%ED%A0%80"),
        ("DELETE", f"?trace_id={TRACE}&dimension={SECRET}"),
        ("DELETE", f"?trace_id={TRACE}&dimension=%00"),
        ("DELETE", f"?trace_id={TRACE}&dimensoin=accuracy"),
        ("DELETE", f"?trace_id={TRACE}&{SECRET}=accuracy"),
    ],
)
def test_an_invalid_query_is_422(site: Site, method: str, path: str) -> None:
    """Queries are checked like bodies."""
    sentence(site.ask(method, path), 422)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        [("x-forwarded-email", ANN), ("x-forwarded-email", ANN)],
        [("x-forwarded-access-token", SECRET), ("x-forwarded-access-token", "other")],
        [("x-forwarded-user", SECRET), ("X-Forwarded-User", SECRET)],
        [("x-forwarded-email", f"{SECRET}\xff")],
        [("x-forwarded-email", SECRET + "x" * 250)],
    ],
    ids=["e-mail", "token", "proxy", "not UTF-8", "too long"],
)
def test_a_malformed_identity_is_400(
    site: Site, method: str, headers: list[tuple[str, str]]
) -> None:
    """A header that names the user must occur once and be a name; nothing is echoed."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    answer = site.client.request(method, "/feedback", headers=raw, params={"trace_id": TRACE})
    sentence(answer, 400)


def test_nothing_of_all_this_was_stored(site: Site) -> None:
    """After every refusal above, the ledger is as empty as before."""
    assert nothing_is_pending(site)
    assert site.mine(trace_id=TRACE) == []
