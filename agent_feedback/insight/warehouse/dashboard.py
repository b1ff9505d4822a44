"""The same numbers as a Databricks dashboard: a file ``….lvdash.json`` that a workspace imports.

Its datasets are statements over the same definitions as a report's. They look at the last days
before now, as many as the dashboard's own parameter says; everything else that a person asked for
is in them as literals. The form of the file is that of dashboards which workspaces export:
https://docs.databricks.com/aws/en/dashboards/automate.
"""

from __future__ import annotations

from typing import Any, Final

from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.trace_keys import NONE
from agent_feedback.insight.definitions.window import DAY_MS, Window
from agent_feedback.insight.warehouse.common_tables import Question, definitions
from agent_feedback.insight.warehouse.constants import Literals, literal
from agent_feedback.insight.warehouse.sql import VERDICTS
from agent_feedback.insight.warehouse.view import TraceView
from agent_feedback.model import THUMB

DEFAULT_DAYS: Final = 30
_DAY: Final = f"date_add(DATE'1970-01-01', CAST(bucket DIV {DAY_MS} AS INT))"
_VERSION: Final = f"coalesce(version, {literal(NONE)})"
_RATED: Final = "LEFT JOIN (SELECT DISTINCT trace_id AS rated FROM ratings) ON rated = trace_id"

_TOTAL: Final = f"""SELECT
  traces,
  rated_traces,
  CASE WHEN traces > 0 THEN rated_traces / traces END AS feedback_rate,
  CASE WHEN thumbs > 0 THEN positive / thumbs END AS positive_rate
FROM (SELECT count(*) AS traces, count(rated) AS rated_traces FROM traces {_RATED})
CROSS JOIN (
  SELECT count_if(thumb) AS positive, count(thumb) AS thumbs
  FROM ratings
  WHERE name = '{THUMB}'
)"""


class _LastDays(Literals):
    """Literals, and a window that ends now."""

    def number(self, name: str, value: int) -> str:
        now = "unix_millis(current_timestamp())"
        if name == "since":
            return f"({now} - CAST(:days AS BIGINT) * {DAY_MS})"
        return now if name == "until" else super().number(name, value)


def dashboard(view: TraceView, options: ReportOptions, days: int = DEFAULT_DAYS) -> dict[str, Any]:
    """Feedback rate and positive rate beside judges' scores, by day and by version.

    Args:
        view: How to read the views: :meth:`WarehouseSource.view`.
        options: Whose assessments count, and under which names; its window is not used.
        days: How many days before now the dashboard shows at first.

    Returns:
        What the file holds as JSON.
    """
    # Only the length of this window counts: so long a one has days for its buckets.
    question = Question(view, options, Window(0, DEFAULT_DAYS * DAY_MS), places=True)
    statements = {
        "total": ("Traces and ratings", _statement(question, _TOTAL)),
        "by_day": ("By day", _statement(question, _measures("day", _DAY))),
        "by_version": ("By version", _statement(question, _measures("version", _VERSION))),
    }
    return {
        "datasets": [
            _dataset(name, title, text, days) for name, (title, text) in statements.items()
        ],
        "pages": [
            {
                "name": "feedback",
                "displayName": "Feedback",
                "pageType": "PAGE_TYPE_CANVAS",
                "layout": _layout(),
            }
        ],
    }


def _statement(question: Question, select: str) -> str:
    return f"{definitions(question, _LastDays(), VERDICTS)}\n{select}"


def _measures(place: str, expression: str) -> str:
    """One row per place and measure, of those that have something to measure."""
    return f"""-- Judges that say yes or no count as 1 and 0, others by their number from 0 to 1.
SELECT {place}, measure, part / number AS value, number
FROM (
  SELECT {expression} AS {place}, 'feedback rate' AS measure, count(rated) AS part,
    count(*) AS number
  FROM traces {_RATED}
  GROUP BY {expression}
  UNION ALL
  SELECT {expression}, 'positive rate', count_if(thumb), count(thumb)
  FROM ratings
  WHERE name = '{THUMB}'
  GROUP BY {expression}
  UNION ALL
  SELECT {expression}, concat('judge ', name), sum(score), count(score)
  FROM (
    SELECT *, CASE WHEN verdict THEN 1.0D WHEN NOT verdict THEN 0.0D ELSE share END AS score
    FROM verdicts
  )
  GROUP BY {expression}, name
)
WHERE number > 0
ORDER BY {place}, measure"""


def _dataset(name: str, title: str, statement: str, days: int) -> dict[str, Any]:
    shown = {"dataType": "INTEGER", "values": [{"value": str(int(days))}]}
    return {
        "name": name,
        "displayName": title,
        "queryLines": statement.splitlines(keepends=True),
        "parameters": [
            {
                "displayName": "Days",
                "keyword": "days",
                "dataType": "INTEGER",
                "defaultSelection": {"values": shown},
            }
        ],
    }


def _layout() -> list[dict[str, Any]]:
    return [
        _counter("traces", "Traces", 0),
        _counter("rated_traces", "Rated traces", 1),
        _counter("feedback_rate", "Feedback rate", 2),
        _counter("positive_rate", "Positive rate", 3),
        _days_filter(),
        _chart("by_day", "line", ("day", "temporal"), "Feedback, judges: by day", 3),
        _chart("by_version", "bar", ("version", "categorical"), "Feedback, judges: by version", 10),
        _table(17),
    ]


def _counter(column: str, title: str, position: int) -> dict[str, Any]:
    value: dict[str, Any] = {"fieldName": column, "displayName": title}
    if column.endswith("_rate"):
        places = {"type": "max", "places": 1}
        value["format"] = {"type": "number-percent", "decimalPlaces": places}
    spec = {"version": 2, "widgetType": "counter", "encodings": {"value": value}}
    return _widget(column, "total", [column], spec, title, (position, 0, 1, 3))


def _chart(dataset: str, kind: str, place: tuple[str, str], title: str, top: int) -> dict[str, Any]:
    column, scale = place
    encodings = {
        "x": {"fieldName": column, "scale": {"type": scale}, "displayName": column.capitalize()},
        "y": {"fieldName": "value", "scale": {"type": "quantitative"}, "displayName": "Rate"},
        "color": {
            "fieldName": "measure",
            "scale": {"type": "categorical"},
            "displayName": "Measure",
        },
    }
    spec: dict[str, Any] = {"version": 3, "widgetType": kind, "encodings": encodings}
    if kind == "bar":
        spec["mark"] = {"layout": "group"}
    return _widget(dataset, dataset, [column, "measure", "value"], spec, title, (0, top, 6, 7))


def _table(top: int) -> dict[str, Any]:
    columns = ("version", "measure", "value", "number")
    shown = [{"fieldName": name, "displayName": name.capitalize()} for name in columns]
    spec = {"version": 2, "widgetType": "table", "encodings": {"columns": shown}}
    return _widget(
        "versions", "by_version", list(columns), spec, "Numbers by version", (0, top, 6, 8)
    )


def _widget(
    name: str,
    dataset: str,
    columns: list[str],
    spec: dict[str, Any],
    title: str,
    place: tuple[int, int, int, int],
) -> dict[str, Any]:
    fields = [{"name": column, "expression": f"`{column}`"} for column in columns]
    query = {"datasetName": dataset, "fields": fields, "disaggregated": True}
    return {
        "widget": {
            "name": name,
            "queries": [{"name": "main_query", "query": query}],
            "spec": spec | {"frame": {"showTitle": True, "title": title}},
        },
        "position": dict(zip(("x", "y", "width", "height"), place, strict=True)),
    }


def _days_filter() -> dict[str, Any]:
    """One number for every dataset."""
    names = ("total", "by_day", "by_version")
    return {
        "widget": {
            "name": "days",
            "queries": [
                {
                    "name": f"days_{name}",
                    "query": {
                        "datasetName": name,
                        "parameters": [{"name": "days", "keyword": "days"}],
                        "disaggregated": False,
                    },
                }
                for name in names
            ],
            "spec": {
                "version": 2,
                "widgetType": "filter-single-select",
                "encodings": {
                    "fields": [
                        {"parameterName": "days", "queryName": f"days_{name}"} for name in names
                    ]
                },
                "frame": {"showTitle": True, "title": "Days"},
            },
        },
        "position": {"x": 4, "y": 0, "width": 2, "height": 3},
    }
