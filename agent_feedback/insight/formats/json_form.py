"""A report as JSON, and the JSON Schema of that."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from agent_feedback.insight.content.report_values import Report


def as_dict(report: Report) -> dict[str, Any]:
    """The report as what JSON can hold."""
    found: dict[str, Any] = _adapter().dump_python(report, mode="json")
    return found


def as_json(report: Report) -> str:
    """The report as JSON, indented."""
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False, allow_nan=False)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a report: its members, and no others."""
    schema: dict[str, Any] = _adapter().json_schema(mode="serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)
