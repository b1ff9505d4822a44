"""Server-sent events as bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from sse_starlette import ServerSentEvent

PING: Final = ServerSentEvent(comment="ping", sep="\n").encode()
"""A comment: clients pass over it, and what is between them and us sees that the stream lives."""

# The server's last event, which is no JSON. Within JSON there is no line break as such, so no line
# that a handler's text is in can begin with it.
_DONE = re.compile(rb"^data: ?\[DONE\]", re.MULTILINE)


def frame(event: Mapping[str, Any]) -> bytes:
    """One event as the server would send it."""
    return ServerSentEvent(json.dumps(event), sep="\n").encode()


def split_at_done(body: bytes) -> tuple[bytes, bytes]:
    """A part of a stream, cut before the server's ``[DONE]``; the second is empty without one."""
    done = _DONE.search(body)
    return (body[: done.start()], body[done.start() :]) if done else (body, b"")
