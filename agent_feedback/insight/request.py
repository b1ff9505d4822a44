"""A report as a person asks for it: names and texts, checked and turned into options."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from agent_feedback.errors import ConfigurationError
from agent_feedback.insight.content.gate import Bound, bound
from agent_feedback.insight.definitions.options import MIN_COUNT, Comparison, ReportOptions
from agent_feedback.insight.definitions.trace_keys import trace_key
from agent_feedback.insight.definitions.window import window_of
from agent_feedback.insight.sources.mlflow_source import MlflowSource
from agent_feedback.insight.sources.source import Source
from agent_feedback.insight.warehouse.source import WarehouseSource
from agent_feedback.model import folded
from agent_feedback.settings import Settings

WAREHOUSE_VARIABLE = "MLFLOW_TRACING_SQL_WAREHOUSE_ID"


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What to report on.

    Attributes:
        experiments: Names or ids of experiments; none for the one of MLflow's environment.
        since: A length before ``until`` such as ``24h``, ``7d`` or ``4w``, or a time in ISO 8601.
        until: A time in ISO 8601; ``None`` for now.
        by: A key to group by: ``day``, ``hour``, ``version``, ``session``, ``user``,
            ``environment``, ``tag:KEY`` or ``metadata:KEY``.
        compare: ``KEY=A..B``, to compare two groups.
        aliases: What assessments of people are called elsewhere, by that name: MLflow's own thumbs
            are ``{"User feedback": "user_feedback"}``.
        developers: People whose ratings are a developer's, not a user's.
        exclude_users: People who are left out everywhere, such as bots and load tests.
        min_count: Below this many ratings or traces a rate is thin, and a condition undecided.
        sequential: Intervals that hold however often one looks.
        link_base: The address of MLflow's pages, for links to traces; ``None`` for the tracking
            server's own, if it is a server.
        tables: ``catalog.schema`` or ``catalog.schema.prefix`` of traces in Unity Catalog: a SQL
            warehouse counts them.
        warehouse_id: That warehouse; else ``MLFLOW_TRACING_SQL_WAREHOUSE_ID``.
        fail_under: Conditions of the gate, such as ``positive_rate=0.7``.
        fail_if_worse: A further one: it is not worse than before, or than ``a`` of ``compare``.
    """

    experiments: Sequence[str] = ()
    since: str = "7d"
    until: str | None = None
    by: str | None = None
    compare: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    developers: Sequence[str] = ()
    exclude_users: Sequence[str] = ()
    min_count: int = MIN_COUNT
    sequential: bool = False
    link_base: str | None = None
    tables: str | None = None
    warehouse_id: str | None = None
    fail_under: Sequence[str] = ()
    fail_if_worse: bool = False

    def __post_init__(self) -> None:
        """Refuse a text where a list belongs: its letters would be taken for names.

        Raises:
            ConfigurationError: one is there.
        """
        for name in ("experiments", "developers", "exclude_users", "fail_under"):
            if isinstance(getattr(self, name), str):
                raise ConfigurationError(f"{name} is a list of texts, not one text.")
        if not all(self.experiments):
            raise ConfigurationError("--experiment is empty: it takes a name or an id.")

    def options(self, now: datetime) -> ReportOptions:
        """The options that every source takes.

        Raises:
            ConfigurationError: one of them cannot be.
        """
        if self.min_count < 1:
            raise ConfigurationError("--min-count is at least 1.")
        return ReportOptions(
            window=window_of(self.since, self.until, now),
            by=None if self.by is None else trace_key(self.by),
            compare=None if self.compare is None else _comparison(self.compare),
            aliases=self.aliases,
            developers=frozenset(map(folded, self.developers)),
            excluded=frozenset(map(folded, self.exclude_users)),
            scale=Settings().scale,
            min_count=self.min_count,
            sequential=self.sequential,
            link_base=_tracking_server() if self.link_base is None else _link_base(self.link_base),
        )

    def bounds(self) -> list[Bound]:
        """The conditions on values.

        Raises:
            ConfigurationError: one of them cannot be read.
        """
        return [bound(text) for text in self.fail_under]

    def source(self) -> Source:
        """Where the traces are.

        Raises:
            ConfigurationError: a warehouse is half named.
        """
        if self.tables is None and self.warehouse_id is None:
            return MlflowSource(self.experiments)
        return self.warehouse()

    def warehouse(self) -> WarehouseSource:
        """The traces in Unity Catalog, and the warehouse that counts them.

        Raises:
            ConfigurationError: one of the two is not named.
        """
        warehouse_id = self.warehouse_id or os.environ.get(WAREHOUSE_VARIABLE)
        if not self.tables:
            raise ConfigurationError(
                "--tables is missing: which traces to count, as catalog.schema or"
                " catalog.schema.prefix."
            )
        if not warehouse_id:
            raise ConfigurationError(
                f"--tables needs --warehouse-id, or {WAREHOUSE_VARIABLE}: the SQL warehouse that"
                " counts them."
            )
        return WarehouseSource.of(self.tables, warehouse_id, self.experiments)


def _comparison(text: str) -> Comparison:
    key, _, groups = text.partition("=")
    a, dots, b = groups.partition("..")
    if not (key and dots and a and b) or a == b:
        raise ConfigurationError(
            "--compare is KEY=A..B with two groups that differ, such as version=m-1..m-2."
        )
    return Comparison(trace_key(key), a, b)


def _tracking_server() -> str | None:
    # MLflow's own variables name it; whether it is there is not asked.
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if uri.startswith("databricks"):
        host = os.environ.get("DATABRICKS_HOST", "")
        return f"https://{host.removeprefix('https://')}" if host else None
    return _without_user(uri) if uri.startswith(("http://", "https://")) else None


def _link_base(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        raise ConfigurationError("--link-base is an address that begins with http:// or https://.")
    return _without_user(address)


def _without_user(address: str) -> str:
    """An address without the name and password in it: links are passed on."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
