"""Where traces are shown."""

from dataclasses import replace

from agent_feedback.insight.content.report_values import ExperimentName
from agent_feedback.insight.formats.trace_links import TraceLinks
from tests.insight.sample_reports import LINKS, hostile_report, sample_report


def test_a_trace_without_comment_is_shown_where_the_others_are() -> None:
    """The page's address differs in the trace's id only."""
    links = TraceLinks(sample_report())
    assert links("tr-9/?") == f"{LINKS}tr-9%2F%3F"
    commented = sample_report().comments[0]
    assert links(commented.trace_id) == commented.link


def test_of_several_experiments_only_comments_have_links() -> None:
    """Whose experiment another trace is in, the report does not say."""
    other = ExperimentName(id="8", name="other")
    report = sample_report()
    links = TraceLinks(replace(report, experiments=(*report.experiments, other)))
    assert links("tr-9") is None
    assert links(report.comments[0].trace_id) == report.comments[0].link


def test_only_addresses_of_the_web_are_links() -> None:
    """A link that would run a script is none."""
    report = hostile_report()
    assert TraceLinks(report)(report.comments[0].trace_id) is None
