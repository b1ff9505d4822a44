"""Traces for this package's tests, and their tables."""

from dataclasses import replace

from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.window import Window
from tests.insight.trace_specs import AssessmentSpec, TraceSpec
from tests.insight.warehouse.conftest import CATALOG, PREFIX, SCHEMA
from tests.support.fake_warehouse import FakeWarehouse
from tests.support.warehouse_tables import DOCUMENTED, Shape, create_trace_tables

UNTIL = 1_780_000_000_000
PLAIN = ReportOptions(Window(UNTIL - 14 * 86_400_000, UNTIL))


def store(fake: FakeWarehouse, specs: tuple[TraceSpec, ...], shape: Shape = DOCUMENTED) -> None:
    """Make the tables of these traces."""
    create_trace_tables(fake, specs, CATALOG, SCHEMA, PREFIX, shape)


def rated(name: str, value: object, **changed: object) -> AssessmentSpec:
    """An assessment by one person."""
    plain = AssessmentSpec(f"a-{name}", name, "HUMAN", "ann@x.org", value, UNTIL, UNTIL)
    return replace(plain, **changed)  # type: ignore[arg-type]


def trace(number: int, *assessments: AssessmentSpec) -> TraceSpec:
    """A trace of the window; a lower number is newer."""
    return TraceSpec(f"tr-{number:032x}", UNTIL - 1 - number, assessments=assessments)
