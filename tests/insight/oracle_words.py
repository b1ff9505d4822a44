"""What people said in words, reasons and corrections, by brute force: a part of the oracle."""

import json
from itertools import groupby
from typing import Any

from tests.insight.oracle_frames import iso


def comments(people: Any) -> list[dict[str, Any]]:
    """Give the newest 50 comments, the negative ones first."""
    every = sorted(_comments(people), key=lambda one: -one["at_ms"])[:50]
    every.sort(key=lambda one: not one["is_negative"])
    shown = ("trace_id", "value", "dimension", "rationale", "reasons", "correction")
    return [
        {
            **{key: one[key] for key in shown},
            "person": one["person"].split("\x1f")[0],
            "at": iso(one["at_ms"]),
        }
        for one in every
    ]


def reasons(people: Any) -> list[dict[str, Any]]:
    """Rank the reasons that people chose."""
    thumbs = people[people.thumb.notna()]
    overall = _negative_share(thumbs)
    every = _comments(people)
    found = []
    for what in {reason for one in every for reason in one["reasons"]}:
        chosen = [one for one in every if what in one["reasons"]]
        traces = {one["trace_id"] for one in chosen}
        share = _negative_share(thumbs[thumbs.trace_id.isin(traces)])
        if not what.strip() or _is_praise(share, overall):
            continue
        found.append(
            {
                "what": what,
                "kind": "reason",
                "people": len({one["person"] for one in chosen}),
                "traces": len(traces),
                "negative_share": share,
                "lift": None if share is None or not overall else share / overall,
                "examples": _examples(people[people.trace_id.isin(traces)]),
            }
        )
    return sorted(found, key=_rank)


def _is_praise(share: float | None, overall: float | None) -> bool:
    """People were content here, and more so than elsewhere: there is nothing to fix."""
    if share is None or overall is None or share > 0.5:
        return False
    return share == 0 or share < overall


def rows(people: Any) -> list[dict[str, Any]]:
    """Give one row per rating: the newest traces first, then by trace id, name and person."""
    every = list(people.itertuples(index=False))
    every.sort(key=lambda row: (-row.started_at, row.trace_id, row.name, row.person))
    return [_row(row) for row in every]


def _row(row: Any) -> dict[str, Any]:
    metadata, tags = row.metadata_of_trace, row.tags
    versions = (
        metadata.get("mlflow.modelId"),
        metadata.get("mlflow.source.git.commit"),
        tags.get("app_version"),
    )
    is_plain = row.value is None or isinstance(row.value, (bool, int, float, str))
    return {
        "trace_id": row.trace_id,
        "person": row.person.split("\x1f")[0],
        "name": row.name,
        "value": row.value if is_plain else json.dumps(row.value, ensure_ascii=False),
        "rationale": row.rationale or None,
        "reasons": row.reasons,
        "at": row.updated_at,
        "version": next((version for version in versions if version), None),
        "session": metadata.get("mlflow.trace.session") or None,
    }


def _rank(finding: dict[str, Any]) -> tuple[Any, ...]:
    lift = finding["lift"]
    return -finding["people"], lift is None, -(lift or 0), finding["what"]


def _negative_share(thumbs: Any) -> float | None:
    said = thumbs.thumb.tolist()
    return said.count(False) / len(said) if said else None


def _examples(rows: Any) -> list[str]:
    order = []
    for trace_id, said in rows.groupby("trace_id"):
        thumbs = said.thumb.dropna().tolist()
        is_negative = thumbs.count(False) > thumbs.count(True)
        order.append((not is_negative, -said.started_at.iloc[0], trace_id))
    return [trace_id for *_, trace_id in sorted(order)[:3]]


def _comments(people: Any) -> list[dict[str, Any]]:
    """Give every comment: those of the newest trace first, then by trace id and person."""
    found = []
    every = sorted(people.itertuples(index=False), key=_author)
    for _, spoken in groupby(every, key=_author):
        found += _of_author(list(spoken))
    return found


def _author(row: Any) -> tuple[int, str, str]:
    return -row.started_at, row.trace_id, row.person


def _of_author(rows: list[Any]) -> list[dict[str, Any]]:
    correction = next((row for row in rows if row.name == "expected_response"), None)
    corrected = _text(correction.value) if correction is not None else None
    spoken = sorted(
        (row for row in rows if row.name != "expected_response" and (_words(row) or row.reasons)),
        key=lambda row: (
            row.name != "user_feedback",
            row.name != "user_comment",
            row.name,
        ),
    )
    if not spoken and corrected:
        spoken = [correction]
    return [
        {
            "trace_id": row.trace_id,
            "person": row.person,
            "value": _value(row),
            "dimension": _dimension(row.name),
            "rationale": _words(row),
            "reasons": row.reasons,
            "correction": corrected if position == 0 else None,
            "at_ms": row.updated_at,
            "is_negative": _is_negative(row),
        }
        for position, row in enumerate(spoken)
    ]


def _dimension(name: str) -> str | None:
    if name in ("user_feedback", "user_comment", "expected_response"):
        return None
    return name.removeprefix("user_")


def _words(row: Any) -> str | None:
    if row.name == "expected_response":
        return None
    return _text(row.value) if row.name == "user_comment" else _text(row.rationale)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _value(row: Any) -> Any:
    if row.name in ("user_comment", "expected_response"):
        return None
    if row.name == "user_feedback" and row.thumb is not None:
        return row.thumb
    return row.value if isinstance(row.value, (bool, int, float, str)) else None


def _is_negative(row: Any) -> bool:
    """Tell a thumb down, or fewer than half of the stars."""
    if row.name == "user_feedback":
        return row.thumb is False
    return row.stars is not None and row.stars < 0.5
