"""Which servers are on this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def stays_here(base: str) -> bool:
    """Whether the server at ``base`` is on this machine: its name is localhost, or its address a loopback one."""
    host = urlsplit(base).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
