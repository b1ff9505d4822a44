"""A report by brute force: pandas over one row per trace and one row per assessment.

It is written from the contract alone and uses none of the package's counting, classes, values and
statistics. It answers a dictionary of the report's members, and ``left_out`` and ``unclear`` (of
judges): what a report only says in its notes.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from agent_feedback.insight.definitions.options import ReportOptions
from tests.insight import oracle_words
from tests.insight.oracle_estimates import (
    agreement,
    difference,
    mean_of_ratings,
    rate_of_thumbs,
    rate_of_traces,
)
from tests.insight.oracle_frames import (
    NOT_DIMENSIONS,
    assessments_frame,
    each,
    iso,
    latest,
    thumb,
    traces_frame,
)
from tests.insight.trace_specs import TraceSpec

HOUR = 3_600_000


def oracle_report(specs: Sequence[TraceSpec], options: ReportOptions) -> dict[str, Any]:
    """Work out the report of these traces, whatever window they are of."""
    since, until = options.window.since, options.window.until
    every = traces_frame(specs)
    found = assessments_frame(specs, options)
    traces = _began(every, since, until)
    before = _began(every, 2 * since - until, since)
    counted = latest(found)
    ours = counted[counted.trace_id.isin(traces.trace_id)]
    people = ours[ours.of == "end_user"]
    theirs = counted[counted.trace_id.isin(before.trace_id) & (counted.of == "end_user")]
    now, then = headline(traces, people, options), headline(before, theirs, options)
    return {
        "window": {"since": iso(since), "until": iso(until)},
        "headline": now,
        "previous": then,
        "change": {
            rate: difference(then[rate], now[rate]) if then[rate]["n"] and now[rate]["n"] else None
            for rate in ("positive_rate", "feedback_rate")
        },
        "dimensions": _dimensions(people, options),
        "trend": _trend(traces, people, options),
        "groups": _groups(traces, people, options),
        "comparison": _comparison(traces, people, options),
        "coverage": _coverage(traces, people),
        "time_to_rating": _delays(people),
        "fix_first": oracle_words.reasons(people),
        "comments": oracle_words.comments(people),
        "judges": _judges(ours, people),
        "apart": {
            **{of: int((ours.of == of).sum()) for of in ("developer", "judge", "code")},
            "signal": dict(sorted(ours[ours.of == "signal"].name.value_counts().items())),
        },
        "left_out": _left_out(found[found.trace_id.isin(traces.trace_id)], people),
        "unclear": _unclear(ours),
    }


def oracle_rows(specs: Sequence[TraceSpec], options: ReportOptions) -> list[dict[str, Any]]:
    """Work out the rows of the form with one row per rating."""
    every = traces_frame(specs)
    traces = _began(every, options.window.since, options.window.until)
    counted = latest(assessments_frame(specs, options))
    return oracle_words.rows(
        counted[counted.trace_id.isin(traces.trace_id) & (counted.of == "end_user")]
    )


def headline(traces: Any, people: Any, options: ReportOptions) -> dict[str, Any]:
    """Make the H of some traces; ``people`` is what end users said, on these and perhaps others."""
    said = people[people.trace_id.isin(set(traces.trace_id))]
    thumbs = said[said.thumb.notna()]
    sequential = options.min_count if options.sequential else None
    return {
        "traces": len(traces),
        "rated_traces": said.trace_id.nunique(),
        "feedback_rate": rate_of_traces(said.trace_id.nunique(), len(traces), sequential),
        "people": said.person.nunique(),
        "positive": int((thumbs.thumb == True).sum()),  # noqa: E712
        "negative": int((thumbs.thumb == False).sum()),  # noqa: E712
        "positive_rate": rate_of_thumbs(_by_person(thumbs, "thumb"), sequential),
    }


def _began(traces: Any, since: int, until: int) -> Any:
    return traces[(traces.started_at >= since) & (traces.started_at < until)]


def _by_person(said: Any, column: str) -> dict[str, list[float]]:
    return {
        person: [float(value) for value in rows[column]] for person, rows in said.groupby("person")
    }


def _means(people: Any, traces: Any, options: ReportOptions) -> dict[str, dict[str, Any]]:
    rated = people[people.stars.notna() & people.trace_id.isin(traces.trace_id)]
    sequential = options.min_count if options.sequential else None
    return {
        name.removeprefix("user_"): mean_of_ratings(_by_person(rows, "stars"), sequential)
        for name, rows in rated.groupby("name")
    }


def _dimensions(people: Any, options: ReportOptions) -> dict[str, Any]:
    found = {}
    for name, mean in _means(people, people, options).items():
        rows = people[(people.name == f"user_{name}") & people.stars.notna()]
        values = [f"{value:.4f}".rstrip("0").rstrip(".") for value in sorted(rows.stars)]
        found[name] = {
            "n": len(rows),
            "people": rows.person.nunique(),
            "mean": mean,
            "stars": mean["value"] * options.scale,
            "distribution": {value: values.count(value) for value in dict.fromkeys(values)},
        }
    return found


def _trend(traces: Any, people: Any, options: ReportOptions) -> list[dict[str, Any]]:
    since, until = options.window.since, options.window.until
    length = HOUR if until - since < 3 * 24 * HOUR else 24 * HOUR
    found = []
    start = since
    while start < until:
        end = min(until, (start // length + 1) * length)
        part = headline(_began(traces, start, end), people, options)
        found.append({"start": iso(start), "end": iso(end), **part})
        start = end
    return found


def _groups(traces: Any, people: Any, options: ReportOptions) -> list[dict[str, Any]]:
    if options.by is None:
        return []
    keys = _keys(traces, options.by.name)
    sizes = sorted(keys.value_counts().items(), key=lambda item: (-item[1], item[0]))
    names = [name for name, _ in sizes]
    if options.by.name in ("day", "hour"):
        names[:50] = sorted(names[:50])
    found = [
        {"key": name, **headline(traces[(keys == name).astype(bool)], people, options)}
        for name in names[:50]
    ]
    if names[50:]:
        rest = traces[keys.isin(names[50:])]
        found.append({"key": "(other)", **headline(rest, people, options)})
    return found


def _keys(traces: Any, name: str) -> Any:
    """Give each trace its group."""
    if name in ("day", "hour"):
        return each(traces, lambda row: iso(row.started_at)[: {"day": 10, "hour": 13}[name]])

    def key(row: Any) -> str:
        metadata, tags = row.metadata, row.tags
        places: dict[str, Iterable[str | None]] = {
            "version": (
                metadata.get("mlflow.modelId"),
                metadata.get("mlflow.source.git.commit"),
                tags.get("app_version"),
            ),
            "session": (metadata.get("mlflow.trace.session"),),
            "user": (metadata.get("mlflow.trace.user"),),
            "environment": (metadata.get("mlflow.source.type"), metadata.get("APP_ENVIRONMENT")),
        }
        kind, _, rest = name.partition(":")
        places |= {"tag": (tags.get(rest),), "metadata": (metadata.get(rest),)}
        return next((value for value in places[kind] if value), "(none)")

    return each(traces, key)


def _comparison(traces: Any, people: Any, options: ReportOptions) -> dict[str, Any] | None:
    compare = options.compare
    if compare is None:
        return None
    keys = _keys(traces, compare.key.name)
    a, b = (traces[(keys == key).astype(bool)] for key in (compare.a, compare.b))
    nothing = mean_of_ratings({}, None)
    means_a, means_b = _means(people, a, options), _means(people, b, options)
    return {
        "key": compare.key.name,
        "a": compare.a,
        "b": compare.b,
        "positive_rate": difference(
            *(headline(part, people, options)["positive_rate"] for part in (a, b))
        ),
        "dimensions": {
            name: difference(means_a.get(name, nothing), means_b.get(name, nothing))
            for name in sorted(means_a.keys() | means_b.keys())
        },
    }


def _coverage(traces: Any, people: Any) -> dict[str, Any]:
    is_rated = traces.trace_id.isin(people.trace_id)
    answers = people.groupby("person").trace_id.nunique().sort_values(ascending=False)
    enough = answers.cumsum() * 2 >= answers.sum()
    return {
        "rated": _part(traces[is_rated]),
        "unrated": _part(traces[~is_rated]),
        "top_rater_share": int(answers.iloc[0]) / int(answers.sum()) if len(answers) else None,
        "people_for_half": int((~enough).sum()) + 1 if len(answers) else None,
    }


def _part(traces: Any) -> dict[str, Any]:
    seconds = pd.to_numeric(traces.duration_ms.dropna()) / 1000
    return {
        "traces": len(traces),
        "seconds_median": float(seconds.median()) if len(seconds) else None,
        "error_rate": int((traces.state == "ERROR").sum()) / len(traces) if len(traces) else None,
    }


def _delays(people: Any) -> dict[str, float | None]:
    known = people[people.duration_ms.notna()]
    seconds = pd.to_numeric(known.created_at - known.started_at - known.duration_ms) / 1000
    if not len(seconds):
        return {"median": None, "p90": None}
    return {"median": float(seconds.quantile(0.5)), "p90": float(seconds.quantile(0.9))}


def _judges(ours: Any, people: Any) -> list[dict[str, Any]]:
    verdicts = ours[ours.of == "judge"].sort_values(["updated_at", "created_at", "assessment_id"])
    verdicts = verdicts.drop_duplicates(["trace_id", "name"], keep="last")
    return [
        _judge(name, rows.sort_values("trace_id"), people)
        for name, rows in verdicts.groupby("name")
    ]


def _judge(name: str, verdicts: Any, people: Any) -> dict[str, Any]:
    table = {"tp": 0, "fp": 0, "fn": 0, "tn": 0}
    ties, apart = 0, []
    for row in verdicts.itertuples(index=False):
        judge = thumb(row.value)
        thumbs = people[people.trace_id == row.trace_id].thumb.dropna().tolist()
        yes, no = thumbs.count(True), thumbs.count(False)
        if judge is None or not thumbs:
            continue
        if yes == no:
            ties += 1
            continue
        table[("t" if judge == (yes > no) else "f") + ("p" if judge else "n")] += 1
        if judge != (yes > no):
            apart.append((-row.started_at, row.trace_id))
    found = agreement(**table)
    n = sum(table.values())
    return {
        "name": name,
        "n": n,
        **{key: {"value": found[key], "n": n} for key in ("agreement", "kappa", "ac1")},
        "majority": found["majority"],
        "table": table,
        "ties": ties,
        "disagreements": [trace_id for _, trace_id in sorted(apart)],
    }


def _unclear(ours: Any) -> dict[str, int]:
    verdicts = ours[ours.of == "judge"].sort_values(["updated_at", "created_at", "assessment_id"])
    verdicts = verdicts.drop_duplicates(["trace_id", "name"], keep="last")
    unclear = verdicts[each(verdicts, lambda row: thumb(row.value) is None).astype(bool)]
    return dict(sorted(unclear.name.value_counts().items()))


def _left_out(found: Any, people: Any) -> dict[str, int]:
    is_thumb = people.name == "user_feedback"
    counts = {
        "unclear_thumbs": int((is_thumb & people.thumb.isna()).sum()),
        "unclear_ratings": int((~people.name.isin(NOT_DIMENSIONS) & people.stars.isna()).sum()),
        "excluded_people": int(found.is_excluded.sum()),
    }
    assert not any(math.isnan(count) for count in counts.values())
    return {name: count for name, count in counts.items() if count}
