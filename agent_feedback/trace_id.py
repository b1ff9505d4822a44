"""The two forms of a trace id, told apart once and checked at the edge.

``tr-<hex>`` names a trace of an experiment, ``trace:/<catalog>.<schema>[.<prefix>]/<hex>`` one in
Unity Catalog. A bare ``<hex>`` is an OpenTelemetry id that still lacks its location. ``<hex>`` is
always OpenTelemetry's own: MLflow makes both forms from ``opentelemetry.trace.format_trace_id``
(``mlflow.tracing.utils``), so an id of another length names no trace, now or later.
"""

from __future__ import annotations

import re

from agent_feedback.errors import InvalidFeedback

_HEX = r"[0-9a-f]{32}"
_EXPERIMENT_FORM = re.compile(rf"tr-{_HEX}")
_CATALOG_NAME = r"[\w-]{1,255}"
_CATALOG_FORM = re.compile(rf"trace:/{_CATALOG_NAME}\.{_CATALOG_NAME}(\.{_CATALOG_NAME})?/{_HEX}")
_BARE_FORM = re.compile(_HEX)
MAX_LENGTH = len("trace:/") + 3 * 256 + 32


def parse(text: str) -> str:
    """Return ``text`` if it is a trace id in one of the known forms.

    Raises:
        InvalidFeedback: it is anything else. The sentence does not repeat the text.
    """
    if len(text) <= MAX_LENGTH and (
        _EXPERIMENT_FORM.fullmatch(text)
        or _CATALOG_FORM.fullmatch(text)
        or _BARE_FORM.fullmatch(text)
    ):
        return text
    raise InvalidFeedback(
        "trace_id is not a trace id: it looks like tr-<hex> or"
        " trace:/<catalog>.<schema>.<prefix>/<hex>, with 32 hexadecimal digits."
    )


def is_bare(trace_id: str) -> bool:
    """Whether the id lacks its location, so that it is no key yet."""
    return _BARE_FORM.fullmatch(trace_id) is not None


def is_in_unity_catalog(trace_id: str) -> bool:
    """Whether the id names a trace in Unity Catalog, which only MLflow's fourth API serves."""
    return trace_id.startswith("trace:/")


def complete(bare_id: str, location: str | None) -> str:
    """A bare id in the form of its experiment: ``location`` is its Unity Catalog place, if any."""
    return f"trace:/{location}/{bare_id}" if location else f"tr-{bare_id}"


def place_of(trace_id: str) -> str | None:
    """The Unity Catalog place that an id names; ``None`` for a trace of an experiment."""
    return trace_id.split("/")[1] if _CATALOG_FORM.fullmatch(trace_id) else None


def to_assessments_id(trace_id: str) -> str:
    """The id that MLflow's assessment API takes for a trace: the same, as far as we know.

    The one place for this conversion, should a store need one. That the id needs none was proven

    - for ``tr-…`` on SQLite and on ``mlflow server``, from MLflow 3.10 on, by the tests
      (``tests/mlflow_client/test_assessments.py``);
    - for ``trace:/…`` only by reading MLflow's source: its ``RestStore`` and its
      ``DatabricksTracingRestStore`` route such ids to the v4 endpoints themselves. No Unity Catalog
      was at hand to try it on; a tracking server without the v4 API answers ``ENDPOINT_NOT_FOUND``.
    """
    return trace_id
