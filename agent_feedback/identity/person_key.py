"""A person's name turned into a key that a browser may keep: it tells people apart, and no more."""

from __future__ import annotations

import hashlib
import hmac

from agent_feedback.model import folded

_PURPOSE = b"agent_feedback person key\0"
_LENGTH = 32


def person_key_of(secret: str, user_id: str) -> str:
    """The key of a person: the same for the same secret, and of no use to find the person.

    Args:
        secret: What is never sent to a browser; whoever shares it gives the same keys.
        user_id: The person; the case of an e-mail address does not count.
    """
    digest = hmac.new(secret.encode(), _PURPOSE + folded(user_id).encode(), hashlib.sha256)
    return digest.hexdigest()[:_LENGTH]
