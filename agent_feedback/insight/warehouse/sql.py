"""The statements of a report. Each selects from the same definitions, and returns aggregates.

Only rated traces have rows of their own, and only where what they hold is text or a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent_feedback.insight.definitions.aggregates import MAX_COMMENTED
from agent_feedback.insight.warehouse.common_tables import (
    SAID,
    SHARE_OF_VALUE,
    THUMB_OF_VALUE,
    Question,
    Table,
    definitions,
)
from agent_feedback.insight.warehouse.constants import Markers, Statement, literal
from agent_feedback.model import COMMENT, CORRECTION, THUMB

_NON_EMPTY_LIST: Final = r"^\s*\[\s*[^\]\s]"

_SUMS: Final = f"""-- Traces, people's answers and ratings, by bucket, group and compared group.
SELECT 'traces' AS what, t.bucket, t.group_key, t.compared, NULL AS person, NULL AS name,
  NULL AS value, count(*) AS number, count(r.trace_id) AS rated
FROM traces AS t
LEFT JOIN (SELECT DISTINCT trace_id FROM ratings) AS r ON r.trace_id = t.trace_id
GROUP BY t.bucket, t.group_key, t.compared
UNION ALL
SELECT 'answers', bucket, group_key, compared, person, NULL, NULL, count(DISTINCT trace_id), NULL
FROM ratings
GROUP BY bucket, group_key, compared, person
UNION ALL
SELECT 'ratings', bucket, group_key, compared, person, name, value, count(*), NULL
FROM (
  SELECT bucket, group_key, compared, person, name,
    CASE
      WHEN name = '{THUMB}' THEN CASE WHEN thumb THEN 1.0D WHEN NOT thumb THEN 0.0D END
      WHEN is_dimension THEN share
    END AS value
  FROM ratings
)
WHERE value IS NOT NULL
GROUP BY bucket, group_key, compared, person, name, value"""

_COVERAGE: Final = """-- How rated traces went, and the others; how late ratings came.
SELECT CASE WHEN r.trace_id IS NULL THEN 'unrated' ELSE 'rated' END AS what,
  count(*) AS traces,
  count_if(t.failed) AS errors,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY t.duration_ms) AS median,
  NULL AS p90
FROM traces AS t
LEFT JOIN (SELECT DISTINCT trace_id FROM ratings) AS r ON r.trace_id = t.trace_id
GROUP BY CASE WHEN r.trace_id IS NULL THEN 'unrated' ELSE 'rated' END
UNION ALL
SELECT 'delay', NULL, NULL,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY created_at - started_at - duration_ms),
  percentile_cont(0.9) WITHIN GROUP (ORDER BY created_at - started_at - duration_ms)
FROM ratings
WHERE duration_ms IS NOT NULL"""

_COUNTS: Final = f"""-- Assessments by class; signals by name; and what is counted and not used.
SELECT class AS what, CASE WHEN class = 'signal' THEN name END AS name, count(*) AS number
FROM counting
WHERE class <> 'end_user'
GROUP BY class, CASE WHEN class = 'signal' THEN name END
UNION ALL
SELECT 'excluded_people', NULL, count(*) FROM classified WHERE class = 'excluded'
UNION ALL
SELECT 'unclear_thumbs', NULL, count(*) FROM ratings WHERE name = '{THUMB}' AND thumb IS NULL
UNION ALL
SELECT 'unclear_ratings', NULL, count(*) FROM ratings WHERE is_dimension AND share IS NULL"""

VERDICTS: Final[tuple[Table, ...]] = (
    (
        "judged",
        """SELECT
    *,
    -- Of several judges of one name on a trace, the latest speaks.
    row_number() OVER (
      PARTITION BY trace_id, name
      ORDER BY updated_at DESC, created_at DESC, assessment_id DESC
    ) AS place_by_judge
  FROM counting
  WHERE class = 'judge'""",
    ),
    (
        "verdicts",
        f"""SELECT
    trace_id, started_at, bucket, version, name,
    {THUMB_OF_VALUE} AS verdict,
    {SHARE_OF_VALUE} AS share
  FROM (SELECT *, {SAID} AS said FROM judged WHERE place_by_judge = 1)""",
    ),
)
"""What each judge says of a trace."""

_COMPARED: Final[tuple[Table, ...]] = (
    *VERDICTS,
    (
        "thumbs",
        f"""SELECT trace_id, count_if(thumb) AS positive, count_if(NOT thumb) AS negative
  FROM ratings
  WHERE name = '{THUMB}'
  GROUP BY trace_id""",
    ),
    (
        "compared",
        """SELECT
    v.trace_id, v.started_at, v.name, v.verdict,
    CASE
      WHEN p.positive > p.negative THEN 'yes'
      WHEN p.positive < p.negative THEN 'no'
      WHEN p.positive > 0 THEN 'tie'
      ELSE 'none'
    END AS people
  FROM verdicts AS v
  LEFT JOIN thumbs AS p ON p.trace_id = v.trace_id""",
    ),
)

_JUDGES: Final = """-- Each judge beside the majority of people's thumbs on a trace.
SELECT name, verdict, people, count(*) AS number
FROM compared
GROUP BY name, verdict, people"""

_DISAGREEMENTS: Final = """-- The traces on which a judge and the majority of people disagree.
SELECT name, trace_id
FROM compared
WHERE (verdict AND people = 'no') OR (NOT verdict AND people = 'yes')
ORDER BY name, started_at DESC, trace_id"""

_HAS_WORDS: Final = f"""CASE
    WHEN name IN ('{COMMENT}', '{CORRECTION}') AND value LIKE '"_%"' THEN TRUE
    WHEN name = '{CORRECTION}' THEN FALSE
    WHEN reasons RLIKE {literal(_NON_EMPTY_LIST)} THEN TRUE
    ELSE name <> '{COMMENT}' AND rationale IS NOT NULL
  END"""

_COMMENTED: Final = """-- All ratings of the newest traces on which somebody said something.
SELECT r.trace_id, r.started_at, r.name, r.person, r.value, r.rationale, r.reasons, r.updated_at
FROM ratings AS r
JOIN commented AS c ON c.trace_id = r.trace_id
ORDER BY r.started_at DESC, r.trace_id"""

_ROWS: Final = """-- Every rating that counts.
SELECT trace_id, started_at, name, person, value, rationale, reasons, updated_at, version, session
FROM ratings
ORDER BY started_at DESC, trace_id, name, person"""


def sums(question: Question) -> Statement:
    """What the headline, the dimensions, the trend, groups and comparisons are made of."""
    return _statement(question, _SUMS)


def coverage(question: Question) -> Statement:
    """How rated traces went, and the others; and the delay of ratings."""
    return _statement(question, _COVERAGE)


def counts(question: Question) -> Statement:
    """Assessments that are no ratings, and ratings that say nothing."""
    return _statement(question, _COUNTS)


def judges(question: Question) -> Statement:
    """Judges beside people."""
    return _statement(question, _JUDGES, _COMPARED)


def disagreements(question: Question) -> Statement:
    """The traces on which judges and people disagree."""
    return _statement(question, _DISAGREEMENTS, _COMPARED)


def commented(question: Question, limit: int = MAX_COMMENTED + 1) -> Statement:
    """The ratings of the newest traces with words, reasons or corrections."""
    newest = f"""SELECT DISTINCT trace_id, started_at
  FROM ratings
  WHERE {_HAS_WORDS}
  ORDER BY started_at DESC, trace_id
  LIMIT {int(limit)}"""
    return _statement(question, _COMMENTED, [("commented", newest)])


def rows(question: Question) -> Statement:
    """Every rating."""
    return _statement(question, _ROWS)


def _statement(question: Question, select: str, more: Sequence[Table] = ()) -> Statement:
    markers = Markers()
    return markers.statement(f"{definitions(question, markers, more)}\n{select}")
