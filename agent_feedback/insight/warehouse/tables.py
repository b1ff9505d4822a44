"""The views of traces in Unity Catalog, and their names in SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent_feedback.errors import ConfigurationError

_BETA_PREFIX: Final = "mlflow_experiment"
# What MLflow's client takes in the id of a trace; with backquotes around it or not.
_NAME: Final = r"(?:`[\w-]{1,255}`|[\w-]{1,255})"
_TABLES: Final = re.compile(rf"({_NAME})\.({_NAME})(?:\.({_NAME}))?")


@dataclass(frozen=True, slots=True)
class Tables:
    """Where the traces of an experiment are in Unity Catalog.

    Without a prefix it is a schema in which MLflow's views have fixed names, as in the time before
    prefixes (https://docs.databricks.com/aws/en/mlflow3/genai/tracing/observe-with-traces/query-dbsql).
    """

    catalog: str
    schema: str
    prefix: str | None = None

    @property
    def unified(self) -> str:
        """The view with one row per trace, quoted."""
        return self._quoted("trace_unified")

    @property
    def metadata(self) -> str:
        """The view with the metadata, tags and assessments of traces, quoted."""
        return self._quoted("trace_metadata")

    @property
    def place(self) -> str:
        """As MLflow's client writes it in the ids of traces."""
        return ".".join(filter(None, (self.catalog, self.schema, self.prefix)))

    def _quoted(self, view: str) -> str:
        names = (self.catalog, self.schema, f"{self.prefix or _BETA_PREFIX}_{view}")
        return ".".join(map(quoted, names))


def parse_tables(text: str) -> Tables:
    """The place that ``catalog.schema`` or ``catalog.schema.prefix`` names.

    Raises:
        ConfigurationError: it is anything else. The sentence does not repeat the text.
    """
    found = _TABLES.fullmatch(text)
    if not found:
        raise ConfigurationError(
            "--tables is catalog.schema or catalog.schema.prefix, in letters, digits, _ and -."
        )
    catalog, schema, prefix = (name and name.strip("`") for name in found.groups())
    return Tables(catalog, schema, prefix)


def quoted(name: str) -> str:
    """A name as SQL takes it whatever is in it."""
    return "`" + name.replace("`", "``") + "`"
