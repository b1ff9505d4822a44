"""Who sends a request: the headers' decision, completed by a look-up where a token needs one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from agent_feedback.errors import IdentityRequired
from agent_feedback.guard import Guard
from agent_feedback.identity.client_address import client_address
from agent_feedback.identity.headers import APP_USER, AccessToken, Decision, RawHeaders, decide
from agent_feedback.identity.token_owners import TokenOwners
from agent_feedback.model import Identity
from agent_feedback.settings import Settings


class IdentityResolver:
    """Resolves requests to people, for turns and for ratings alike."""

    def __init__(self, settings: Settings, guard: Guard, *, on_databricks_apps: bool) -> None:
        self._settings = settings
        self._guard = guard
        self._on_databricks_apps = on_databricks_apps
        self._token_owners = TokenOwners()

    def start(self, headers: RawHeaders) -> Identity | Future[Identity]:
        """The person, or a future of them where a token is looked up. Never blocks."""
        who = self._decide(headers).who
        return self._token_owners.look_up(who) if isinstance(who, AccessToken) else who

    async def resolve(self, headers: RawHeaders) -> Identity:
        """The person who sends a rating.

        Raises:
            IdentityMalformed: an identity header is malformed, or occurs twice.
            IdentityRequired: nobody is named, and the settings ask for a person.
            IdentityRefused: the workspace refuses the token.
            Unavailable: the workspace cannot be asked now.
        """
        who = self._decide(headers).who
        identity = await self._token_owners.resolve(who) if isinstance(who, AccessToken) else who
        if identity.is_anonymous and self._settings.require_user:
            raise IdentityRequired()
        return identity

    def counted_as(self, person: Identity, headers: RawHeaders, peer: str | None) -> Sequence[str]:
        """What a person's writes are counted by: anonymous people together, by their address."""
        if not person.is_anonymous:
            return ("person", person.user_id)
        address = client_address(headers, peer, on_databricks_apps=self._on_databricks_apps)
        return ("address", address)

    def _decide(self, headers: RawHeaders) -> Decision:
        decision = decide(headers, self._settings, on_databricks_apps=self._on_databricks_apps)
        if decision.ignored_claim:
            self._guard.log_once(
                f"{APP_USER} was ignored: any caller can type it. To believe it from your proxy,"
                " put the proxy's X-Forwarded-User value into AGENT_FEEDBACK_TRUSTED_PROXIES."
            )
        return decision
