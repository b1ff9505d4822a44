"""Which handlers MLflow's agent server calls, and whether their answers can be rated.

A handler that is registered by the wrong decorator works as far as MLflow is concerned: answers
come, and cannot be rated. So each wrapper is marked with the ``AgentFeedback`` that registered it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from mlflow.genai import agent_server

_OWNER = "__agent_feedback__"
_HANDLER = "__agent_feedback_handler__"
_NAMES = ("invoke", "stream")
_TWO_OBJECTS = (
    "The handlers are decorated by another AgentFeedback object than the one that is mounted:"
    " make one, and import it where you mount it (from agent import feedback)"
)


class Whose(Enum):
    """Whose a handler of MLflow's agent server is, seen by one ``AgentFeedback``."""

    NOBODYS = "there is none"
    OURS = "decorated by this AgentFeedback"
    ANOTHERS = "decorated by another AgentFeedback"
    MLFLOWS = "decorated by MLflow's own decorator"


def mark(registered: Callable[..., Any], owner: object, handler: Callable[..., Any]) -> None:
    """Note on a registered wrapper which ``AgentFeedback`` made it, and of which function."""
    setattr(registered, _OWNER, owner)
    setattr(registered, _HANDLER, handler)


def whose(name: str, owner: object) -> Whose:
    """Whose the handler is that MLflow's agent server calls for ``name``."""
    registered = _registered(name)
    if registered is None:
        return Whose.NOBODYS
    marked_by = getattr(registered, _OWNER, None)
    if marked_by is None:
        return Whose.MLFLOWS
    return Whose.OURS if marked_by is owner else Whose.ANOTHERS


def already_registered(name: str, owner: object) -> str:
    """Why there can be no second handler called ``name``, and what to do."""
    article = "an" if name == "invoke" else "a"
    if whose(name, owner) is Whose.MLFLOWS:
        return (
            f"MLflow's own @{name}() has registered {article} {name} handler already: take that"
            f" decorator away, @feedback.{name} stands instead of it."
        )
    return (
        f"This process has {article} {name} handler already:"
        f" MLflow's agent server takes one, so decorate only one function with {name}."
    )


def mount_error(owner: object) -> str | None:
    """Why mounting on MLflow's server, which has no other handlers, is pointless for certain.

    One sentence; ``None`` where it makes sense.
    """
    found = {whose(name, owner) for name in _NAMES}
    if Whose.ANOTHERS in found:
        return f"{_TWO_OBJECTS}."
    if found == {Whose.NOBODYS}:
        return (
            "There is nothing to rate: import the module whose handlers are decorated with"
            " @feedback.invoke or @feedback.stream before mount. An app whose own routes use"
            " feedback.turn(...) mounts on its FastAPI app; feedback.app() needs no agent."
        )
    return None


def problems(owner: object) -> Iterator[str]:
    """What of the answers cannot be rated, and the line to write, one sentence each."""
    found = {name: whose(name, owner) for name in _NAMES}
    mlflows = [name for name in _NAMES if found[name] is Whose.MLFLOWS]
    is_ours = Whose.OURS in found.values()
    if Whose.ANOTHERS in found.values():
        yield f"{_TWO_OBJECTS}; nothing is wrong where this app's answers come from elsewhere."
    elif mlflows:
        yield _on_mlflows_decorators(mlflows, is_ours=is_ours)
    elif not is_ours:
        yield (
            "No handler is decorated, so only answers given within feedback.turn(...) can be rated:"
            " if that is not meant, import the module that decorates its handlers with"
            " @feedback.invoke or @feedback.stream before the app starts."
        )
    elif _may_be_swapped(*(getattr(_registered(name), _HANDLER, None) for name in _NAMES)):
        yield (
            "The decorators may be swapped: the invoke handler yields events, and the stream"
            " handler does not. If it returns one answer, put @feedback.stream on the other."
        )


def _registered(name: str) -> Callable[..., Any] | None:
    if name == "invoke":
        return agent_server.get_invoke_function()  # type: ignore[no-any-return]
    return agent_server.get_stream_function()  # type: ignore[no-any-return]


def _on_mlflows_decorators(names: list[str], *, is_ours: bool) -> str:
    handlers = " and ".join(names)
    lines = " and ".join(f"@{name}() by @feedback.{name}" for name in names)
    unless = "" if is_ours else ", unless they use feedback.turn(...) themselves"
    return (
        f"Answers of the {handlers} handler{'s' if len(names) > 1 else ''} cannot be rated, because"
        f" MLflow's own decorator registered it: replace {lines}{unless}."
    )


def _may_be_swapped(invoke: Any, stream: Any) -> bool:
    return invoke is not None and stream is not None and _yields(invoke) and _is_plain(stream)


def _yields(handler: Any) -> bool:
    return inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler)


def _is_plain(handler: Any) -> bool:
    """Whether a function yields nothing, and does not say that it returns what can be iterated."""
    returned = str(getattr(handler, "__annotations__", {}).get("return", ""))
    events = any(word in returned for word in ("Iter", "Generator", "list", "List", "Sequence"))
    return not (_yields(handler) or events)
