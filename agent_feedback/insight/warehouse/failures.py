"""What a workspace answers when it cannot do something, as one sentence that says what to do.

The text of a server's error may hold data or other people's names: only its error class, and names
that the person wrote on the command line, are repeated.
"""

from __future__ import annotations

import re
from typing import Final

from agent_feedback.insight.errors import ReportError

_ERROR_CLASS: Final = re.compile(r"\[([A-Z][A-Z0-9_]{2,60}(?:\.[A-Z0-9_]{2,60})?)\]")
_MISSING_GRANT: Final = re.compile(
    r"(?P<privilege>USE CATALOG|USE SCHEMA|SELECT|EXECUTE|BROWSE) on "
    r"(?P<kind>Catalog|Schema|Table|View) '?(?P<object>[\w.`-]+)",
    re.IGNORECASE,
)
_TOO_LARGE: Final = re.compile(r"byte limit exceeded|EXTERNAL_LINKS", re.IGNORECASE)


class ResultTooLarge(ReportError):
    """A result is larger than the 25 MiB that a statement may return: choose a shorter window."""


def too_large_at(moment: str) -> ReportError:
    """The shortest window there is has a result that is too large."""
    return ReportError(
        f"What people said of the traces of one millisecond, {moment}, is larger than the 25 MiB"
        " that a statement may return: choose a window without it."
    )


class StatementFailed(ReportError):
    """The warehouse could not execute a statement."""


def failure_of_statement(error_code: str, message: str, what: str) -> ReportError:
    """Why a statement ended in the state FAILED.

    Args:
        error_code: Of the service, such as ``BAD_REQUEST``.
        message: The server's text, of which only its error class is repeated.
        what: The tables that the statement reads, as the person wrote them.
    """
    if _TOO_LARGE.search(message):
        return ResultTooLarge()
    found = _ERROR_CLASS.search(message)
    error_class = found[1] if found else ""
    if error_class.startswith(("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND")) or (
        error_class in ("NO_SUCH_CATALOG_EXCEPTION", "CATALOG_NOT_FOUND")
    ):
        return ReportError(
            f"There is no view of traces in {what}, or you may not see it: check --tables, and ask"
            " for USE CATALOG, USE SCHEMA and SELECT on it."
        )
    if (
        error_class.startswith(("INSUFFICIENT_PERMISSIONS", "UNAUTHORIZED_ACCESS"))
        or "PERMISSION_DENIED" in (error_class, error_code)
        or "PERMISSION_DENIED" in message
    ):
        return ReportError(_missing_grant(message, what))
    if error_class.startswith(("UNRESOLVED_COLUMN", "FIELD_NOT_FOUND", "UNRESOLVED_FIELD")):
        return StatementFailed(
            f"A view of traces in {what} lacks a column or a field of one that the report reads."
        )
    named = error_class or error_code or "unknown"
    return StatementFailed(
        f"The warehouse could not execute a statement over {what} (error class {named}): its query"
        " history has the details."
    )


def _missing_grant(message: str, what: str) -> str:
    found = _MISSING_GRANT.search(message)
    if found and _is_of(found["object"], what):
        return (
            f"You lack the grant {found['privilege'].upper()} on the {found['kind'].lower()}"
            f" {found['object'].replace('`', '')}: ask its owner for it."
        )
    return (
        f"You may not read the traces in {what}: ask for USE CATALOG, USE SCHEMA and SELECT on its"
        " views."
    )


def _is_of(name: str, what: str) -> bool:
    """Whether an object is what the person named, or one that it is in."""
    bare = name.replace("`", "").rstrip(".").lower()
    return f"{what.lower()}_".startswith(bare) or bare.startswith(what.lower())


def failure_of_request(error: Exception, warehouse_id: str, *, begun: bool) -> ReportError:
    """Why a workspace could not be asked.

    Args:
        begun: Whether it was asked for a statement that it had taken, or for one's result.
    """
    from databricks.sdk import errors

    no_warehouse = (
        "The result of a statement is no longer there: try again."
        if begun
        else f"There is no SQL warehouse {warehouse_id}: it may have been deleted; take the id from"
        " the page SQL Warehouses of your workspace."
    )
    busy = "The workspace is busy: try again in a few minutes."
    # The first that fits: the SDK's own errors are OSErrors too.
    sentences: tuple[tuple[type[Exception], str], ...] = (
        (errors.NotFound, no_warehouse),
        (errors.BadRequest, "The workspace refused a statement: check the warehouse's id."),
        (errors.Unauthenticated, "The workspace refused your credentials: sign in again."),
        (
            errors.PermissionDenied,
            f"You may not use the SQL warehouse {warehouse_id}: ask for CAN USE on it, and check"
            " that your token may call SQL.",
        ),
        (errors.TooManyRequests, busy),
        (errors.TemporarilyUnavailable, busy),
        (errors.DatabricksError, "The workspace could not answer: try again in a few minutes."),
        (
            ValueError,
            "No Databricks workspace is configured: set DATABRICKS_HOST and DATABRICKS_TOKEN, or"
            " name a profile in DATABRICKS_CONFIG_PROFILE.",
        ),
        (ImportError, "The warehouse needs the package databricks-sdk: install it."),
    )
    for kind, sentence in sentences:
        if isinstance(error, kind):
            return ReportError(sentence)
    return unreachable()


def unreachable() -> ReportError:
    """The workspace does not answer."""
    return ReportError(
        "The Databricks workspace cannot be reached: check DATABRICKS_HOST and the network."
    )
