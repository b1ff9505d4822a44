"""Values that some client stored, and that no rating has: they end no report."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from agent_feedback.insight.content.build import build_report
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.window import Window
from agent_feedback.insight.formats.html import as_html
from agent_feedback.insight.formats.json_form import as_json
from agent_feedback.insight.formats.markdown import as_markdown
from agent_feedback.insight.formats.table import as_table
from agent_feedback.insight.sources.counting import TraceCounter
from agent_feedback.model import Assessment, Content, TraceRecord

NOW = 1_772_368_200_000
OPTIONS = ReportOptions(window=Window(NOW - 86_400_000, NOW))
HALF_A_PAIR = "half \ud83d of a pair"
ASSESSMENT = Assessment(
    assessment_id="a-1",
    name="user_feedback",
    kind="feedback",
    source_type="HUMAN",
    source_id="ada@example.com",
    content=Content(False, "words", ("incorrect",)),
    metadata={},
    valid=True,
    on_trace=True,
    created_at=NOW,
    updated_at=NOW,
)


@pytest.mark.parametrize("name", ["user_feedback", "user_accuracy", "user_comment"])
@pytest.mark.parametrize(
    "value",
    [
        *(10**400, -(10**400), 1e308, math.nan, math.inf, -math.inf, 1, 0.5, True, None),
        *(HALF_A_PAIR, "", "x" * 100_000, [1, [2]], {"a": HALF_A_PAIR}),
    ],
    ids=lambda value: str(value)[:12].encode("ascii", "replace").decode(),
)
def test_no_value_ends_a_report(name: str, value: Any) -> None:
    """Each form is made, is UTF-8, and the JSON is JSON."""
    assert_every_form(replace(ASSESSMENT, name=name, content=Content(value, "words", ())))


@pytest.mark.parametrize("moment", [NOW * 1_000_000, -(10**18), 0, 10**30])
def test_no_time_ends_a_report(moment: int) -> None:
    """Some clients write nanoseconds."""
    assert_every_form(replace(ASSESSMENT, created_at=moment, updated_at=moment))


@pytest.mark.parametrize("text", [HALF_A_PAIR, "\x00\x1b[31m", "\u202e" * 9])
def test_no_text_ends_a_report(text: str) -> None:
    """In words, reasons, corrections and people's names."""
    content = Content(False, text, (text,))
    assert_every_form(replace(ASSESSMENT, content=content, source_id=text))


def assert_every_form(assessment: Assessment) -> None:
    """Make the report of one trace with this assessment, in every form."""
    counter = TraceCounter(OPTIONS)
    counter.add(
        TraceRecord(
            "tr-1",
            "1",
            NOW - 1000,
            10,
            failed=False,
            metadata={},
            tags={},
            assessments=(assessment,),
        )
    )
    report = build_report(
        counter.aggregates(), OPTIONS, experiments=(), source="mlflow", made_at=NOW
    )
    json.loads(as_json(report), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    for text in (
        as_json(report),
        as_table(report, min_count=30),
        as_markdown(report, min_count=30),
        as_html(report, min_count=30),
    ):
        text.encode("utf-8")
