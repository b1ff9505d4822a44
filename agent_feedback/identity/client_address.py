"""Where a request comes from: what anonymous people are counted by."""

from __future__ import annotations

import ipaddress

from agent_feedback.identity.headers import RawHeaders

_REAL_IP = b"x-real-ip"
_UNKNOWN = "unknown"


def client_address(headers: RawHeaders, peer: str | None, *, on_databricks_apps: bool) -> str:
    """The address of the client, as far as it can be trusted.

    On Databricks Apps the peer is the platform's proxy, which says the client's address in
    ``X-Real-Ip``. Elsewhere any caller can type that header, so that only the peer counts; a server
    that trusts its own proxy (uvicorn's ``--forwarded-allow-ips``) puts the client there.

    One network of IPv6 (``/64``) is one client: a single machine has all of its addresses.
    """
    claimed = [value for name, value in headers if name.lower() == _REAL_IP]
    if on_databricks_apps and len(claimed) == 1:
        return _network(claimed[0].decode("latin-1").strip()) or _network(peer or "") or _UNKNOWN
    return _network(peer or "") or _UNKNOWN


def _network(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
