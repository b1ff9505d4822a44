"""Reports as plain data, to be held against the oracle's and against each other."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from mlflow.entities import AssessmentSource, Expectation, Feedback, TraceInfo, TraceState
from mlflow.entities import TraceLocation as Location

from agent_feedback.assessment_format import trace_record
from agent_feedback.insight.content.build import build_report
from agent_feedback.insight.definitions.aggregates import Aggregates, Sums
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.sources.counting import TraceCounter, sums_of
from tests.insight.trace_specs import AssessmentSpec, TraceSpec

_ELSEWHERE = ("made_at", "source", "experiments", "schema", "gate")
_ORDERED = ("dimensions", "distribution", "signal")


def counted(traces: tuple[TraceSpec, ...], options: ReportOptions) -> Aggregates:
    """Count traces as the MLflow source does, without a store."""
    since, until = options.window.since, options.window.until
    counter, previous = TraceCounter(options), Sums()
    for spec in traces:
        if since <= spec.started_at < until:
            counter.add(trace_record(_info(spec)))
        elif 2 * since - until <= spec.started_at < since:
            previous.add(sums_of(trace_record(_info(spec)), options))
    counts = counter.aggregates()
    counts.previous = previous
    return counts


def comparable(counts: Aggregates, options: ReportOptions) -> dict[str, Any]:
    """Make the report of what was counted, with what it only says in its notes.

    Left out: what differs between sources, the bootstrap's intervals, and themes.
    """
    report = build_report(counts, options, experiments=(), source="mlflow", made_at=0)
    found: dict[str, Any] = asdict(report)
    for name in _ELSEWHERE:
        del found[name]
    for comment in found["comments"]:
        del comment["link"]
    for judge in found["judges"]:
        for name in ("agreement", "kappa", "ac1"):
            judge[name] = _without_interval(judge[name])
    found["fix_first"] = [one for one in found["fix_first"] if one["kind"] == "reason"]
    found["left_out"] = {name: number for name, number in counts.left_out.items() if number}
    unclear = {name: table.unclear for name, table in counts.judges.items() if table.unclear}
    return found | {"unclear": unclear}


def _without_interval(estimate: Mapping[str, Any]) -> dict[str, Any]:
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        assert low is None
        assert high is None
    else:
        assert -1 <= low <= value + 1e-12, estimate
        assert value - 1e-12 <= high <= 1, estimate
    return {"value": value, "n": estimate["n"]}


def assert_same(seen: Mapping[str, Any], expected: Mapping[str, Any], where: str = "") -> None:
    """Fail with the path of the first difference; members that only ``seen`` has are not looked at.

    Counts, lists, their order and the order of members are the same; other numbers are equal to 12
    significant digits.
    """
    for name, value in expected.items():
        found = next(_differences(seen.get(name, "(absent)"), value, name), None)
        assert found is None, f"{where} {found}"


def _differences(seen: Any, expected: Any, path: str) -> Iterator[str]:
    if isinstance(expected, Mapping) and isinstance(seen, Mapping):
        if path.endswith(_ORDERED) and list(seen) != list(expected):
            yield f"{path}: {list(seen)} for {list(expected)}"
        for name in [*expected, *(seen.keys() - expected.keys())]:
            one, other = seen.get(name, "(absent)"), expected.get(name, "(absent)")
            yield from _differences(one, other, f"{path}.{name}")
    elif isinstance(expected, (list, tuple)) and isinstance(seen, (list, tuple)):
        for position, (one, other) in enumerate(zip(seen, expected, strict=False)):
            yield from _differences(one, other, f"{path}[{position}]")
        if len(seen) != len(expected):
            yield f"{path}: {len(seen)} for {len(expected)}: {seen} for {expected}"
    elif not _same(seen, expected):
        yield f"{path}: {seen!r} for {expected!r}"


def _same(seen: Any, expected: Any) -> bool:
    if isinstance(seen, bool) or isinstance(expected, bool):
        return seen is expected
    if isinstance(expected, (int, float)) and isinstance(seen, (int, float)):
        return math.isclose(seen, expected, rel_tol=1e-12, abs_tol=1e-14)
    return type(seen) is type(expected) and bool(seen == expected)


def _info(spec: TraceSpec) -> TraceInfo:
    return TraceInfo(
        trace_id=spec.trace_id,
        trace_location=Location.from_experiment_id("1"),
        request_time=spec.started_at,
        state=TraceState(spec.state),
        execution_duration=spec.duration_ms,
        trace_metadata=dict(spec.metadata),
        tags=dict(spec.tags),
        assessments=[_entity(one) for one in spec.assessments],
    )


def _entity(spec: AssessmentSpec) -> Feedback | Expectation:
    common: dict[str, Any] = {
        "name": spec.name,
        "value": spec.value,
        "source": AssessmentSource(spec.source_type, spec.source_id),
        "metadata": dict(spec.metadata),
        "span_id": spec.span_id,
        "create_time_ms": spec.created_at,
        "last_update_time_ms": spec.updated_at,
    }
    entity: Feedback | Expectation
    if spec.kind == "expectation":
        entity = Expectation(**common)
    else:
        entity = Feedback(**common, rationale=spec.rationale)
    entity.assessment_id, entity.run_id = spec.assessment_id, spec.run_id
    # MLflow's own default, also where nothing is said.
    entity.overrides, entity.valid = spec.overrides, spec.valid
    return entity
