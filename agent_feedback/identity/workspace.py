"""The one question to the Databricks workspace: whose access token this is.

Importing the databricks-sdk takes nearly as long as importing the rest of an app: only who
asks a workspace imports this module.
"""

from __future__ import annotations

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors import BadRequest, PermissionDenied, Unauthenticated

from agent_feedback.errors import IdentityRefused
from agent_feedback.identity.headers import AccessToken


def owner_of(token: AccessToken, *, within_seconds: float) -> str:
    """The user name of whoever the token belongs to, or nothing where it has none.

    Blocks, in the worst case for longer than it should: the SDK may hang for minutes.

    Raises:
        IdentityRefused: the workspace refuses the token.
    """
    # auth_type="pat": with DATABRICKS_CLIENT_ID set, as on Databricks Apps, the SDK would otherwise
    # refuse to choose between the app's credentials and the user's token.
    config = Config(
        token=token.secret,
        auth_type="pat",
        http_timeout_seconds=within_seconds,
        retry_timeout_seconds=int(within_seconds),
        debug_headers=False,
    )
    try:
        return WorkspaceClient(config=config).current_user.me().user_name or ""
    except (Unauthenticated, PermissionDenied, BadRequest):  # 400: no token by its form
        raise IdentityRefused() from None
