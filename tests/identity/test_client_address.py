"""What anonymous people are counted by."""

import pytest

from agent_feedback.identity.client_address import client_address

PEER = "10.0.0.9"
REAL = (b"X-Real-Ip", b"203.0.113.7")


@pytest.mark.parametrize(
    ("headers", "peer", "on_apps", "address"),
    [
        ([], PEER, False, PEER),
        ([REAL], PEER, False, PEER),
        ([REAL], PEER, True, "203.0.113.7"),
        ([], PEER, True, PEER),
        ([REAL, REAL], PEER, True, PEER),
        ([(b"x-real-ip", b" 203.0.113.7 ")], PEER, True, "203.0.113.7"),
        ([(b"x-real-ip", b"ann\xff")], PEER, True, PEER),
        ([(b"x-real-ip", b"")], PEER, True, PEER),
        ([(b"x-forwarded-for", b"203.0.113.7")], PEER, True, PEER),
        ([(b"x-real-ip", b"2001:db8:1:2:3::7")], PEER, True, "2001:db8:1:2::/64"),
        ([], "2001:db8:1:2:ffff::1", False, "2001:db8:1:2::/64"),
        ([], "::ffff:10.0.0.9", False, PEER),
        ([], None, False, "unknown"),
        ([], "/run/app.sock", False, "unknown"),
    ],
)
def test_only_the_platforms_word_stands_for_the_peer(
    headers: list[tuple[bytes, bytes]], peer: str | None, on_apps: bool, address: str
) -> None:
    """X-Real-Ip counts on Databricks Apps, where the platform sets it, and once only."""
    assert client_address(headers, peer, on_databricks_apps=on_apps) == address
