"""The two forms of a trace id."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.tracing.utils import (
    encode_trace_id,
    generate_mlflow_trace_id_from_otel_trace_id,
    generate_trace_id_v4_from_otel_trace_id,
)

from agent_feedback import InvalidFeedback
from agent_feedback.trace_id import complete, is_bare, parse, place_of, to_assessments_id

HEX = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
FORMS = [
    f"tr-{HEX}",
    HEX,
    f"trace:/main.support/{HEX}",
    f"trace:/main.support.agent/{HEX}",
    f"trace:/my-catalog.schema_1/{HEX}",
]
NO_FORMS = [
    "",
    " ",
    "tr-",
    "tr-xyz",
    f"tr-{HEX.upper()}",
    f" tr-{HEX}",
    f"tr-{HEX}\n",
    f"tr-{HEX}\x00",
    f"tr-{HEX}/..",
    "tr-123",
    f"tr-{HEX[1:]}",
    f"tr-{HEX}0",
    f"tr-{HEX}{HEX}",
    HEX[:-1],
    f"{HEX}0",
    f"trace:/main.support/{HEX[1:]}",
    f"trace:/main.support/{HEX}0",
    "MLFLOW_NO_OP_SPAN_TRACE_ID",
    f"trace:/main/{HEX}",
    f"trace:/a.b.c.d/{HEX}",
    f"trace://a.b/{HEX}",
    f"trace:/a.b/../{HEX}",
    f"trace:/../a.b/{HEX}",
    f"trace:/a..b/{HEX}",
    f"trace:/a.b//{HEX}",
    f"trace:/a.b/{HEX}/",
    f"trace:/a.b/{HEX}?x=1",
    f"trace:/a b.c/{HEX}",
    f"trace:/{'a' * 300}.b/{HEX}",
    "tr-\ud800",
    f"tr-{'٣' * 32}",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", FORMS)
def test_a_trace_id_is_taken_as_it_is(text: str) -> None:
    """Every form that MLflow or Unity Catalog gives passes unchanged, up to MLflow's own API."""
    assert to_assessments_id(parse(text)) == text


@pytest.mark.parametrize("number", [1, 2**128 - 1])
def test_mlflows_own_ids_are_known_forms(number: int) -> None:
    """What MLflow makes of OpenTelemetry's least and greatest trace id is taken."""
    for made in (
        generate_mlflow_trace_id_from_otel_trace_id(number),
        generate_trace_id_v4_from_otel_trace_id(number, "main.support.agent"),
        encode_trace_id(number),
    ):
        assert parse(made) == made


@pytest.mark.parametrize("text", NO_FORMS, ids=range(len(NO_FORMS)))
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """What is no trace id is refused in one sentence that does not hold it."""
    with pytest.raises(InvalidFeedback, match="looks like") as refused:
        parse(text)
    assert len(text.strip()) < 4 or text.strip() not in str(refused.value)


@given(st.one_of(st.text(), st.from_regex(r"(trace:/[\w./-]{0,60}/|tr-)?[0-9a-f]{32}.{0,2}")))
def test_what_passes_can_leave_its_place_nowhere(text: str) -> None:
    """No accepted id climbs out of a URL's path or opens a query."""
    try:
        accepted = parse(text)
    except InvalidFeedback:
        return
    assert accepted == text
    assert ".." not in accepted
    assert re.fullmatch(r"[\w.:/-]+", accepted)


@pytest.mark.parametrize(("text", "bare"), [(form, form == HEX) for form in FORMS])
def test_only_a_bare_id_lacks_its_location(text: str, bare: bool) -> None:
    """An id with a prefix says where it lives."""
    assert is_bare(text) is bare


@pytest.mark.parametrize(
    ("location", "completed"),
    [(None, f"tr-{HEX}"), ("main.support.agent", f"trace:/main.support.agent/{HEX}")],
)
def test_a_bare_id_gets_its_experiments_form(location: str | None, completed: str) -> None:
    """A bare id becomes the id that the span of such a trace says, and that is a known form."""
    assert parse(complete(HEX, location)) == completed


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"tr-{HEX}", None),
        (HEX, None),
        (f"trace:/main.support/{HEX}", "main.support"),
        (f"trace:/main.support.agent/{HEX}", "main.support.agent"),
    ],
)
def test_an_id_of_unity_catalog_says_its_place(text: str, place: str | None) -> None:
    """What lies elsewhere is not this application's."""
    assert place_of(text) == place
