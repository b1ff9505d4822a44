"""Keeps the tests on this machine."""

import ipaddress
import sys

_LOOPBACK_NAMES = frozenset({"", "localhost", "localhost."})


def refuse_other_hosts() -> None:
    """Make every connection or name look-up of this process that leaves loopback an error.

    An audit hook cannot be removed again and sees what C code does as well: no test can
    escape it by patching or by a library of its own.
    """
    sys.addaudithook(_refuse_other_hosts)


def _refuse_other_hosts(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect":
        host = _host_of(args[1])
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if host is not None and not is_loopback(host):
        raise ConnectionRefusedError(f"tests stay on loopback, and this asked for {host!r}")


def _host_of(address: object) -> object:
    # Unix sockets have a path for an address: those never leave the machine.
    return address[0] if isinstance(address, tuple) else None


def is_loopback(host: object) -> bool:
    """Say whether this host name or address means this machine."""
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if name.lower() in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
