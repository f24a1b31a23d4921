"""The way to a server: to this machine, through a proxy, or straight to another machine.

The transport is built from the route. So decisions by the route ("stays on this machine", "not encrypted") hold for the
connection that is made.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from tabspec.errors import ModelNotUsable


@dataclass(frozen=True, slots=True)
class Route:
    """``here``: the server is on this machine, and the connection is direct. ``clear``: what is sent can be read on the
    way (to another machine without TLS). ``proxy`` is the proxy's URL, or ""; it may hold a password.
    """

    here: bool
    clear: bool
    proxy: str = ""

    @property
    def proxy_host(self) -> str:
        """The proxy's host and port, without its password."""
        return urlsplit(self.proxy).netloc.rpartition("@")[2]


def route_to(base: str) -> Route:
    """The route to the server at ``base`` (a URL). Servers on this machine are never reached through a proxy; for all
    others the environment decides (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)."""
    parts = urlsplit(base)
    here = is_loopback(parts.hostname or "")
    clear = parts.scheme == "http" and not here
    if here or proxy_bypass(parts.netloc):
        return Route(here, clear)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return Route(here, clear, proxy if "://" in proxy or not proxy else f"http://{proxy}")


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine: the name localhost, or a loopback address. Other names are not resolved."""
    if host == "localhost":  # for this machine by RFC 6761
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def transport_for(route: Route) -> httpx.AsyncBaseTransport:
    """A transport for this route only. Raises `ModelNotUsable` for a proxy that cannot be used."""
    if not route.proxy:
        return httpx.AsyncHTTPTransport(verify=_trusted())
    try:
        return httpx.AsyncHTTPTransport(verify=_trusted(), proxy=httpx.Proxy(route.proxy))
    except (ValueError, ImportError, httpx.InvalidURL):
        raise ModelNotUsable(
            f"the proxy {route.proxy_host} cannot be used: set HTTPS_PROXY to http://HOST:PORT, or NO_PROXY to the "
            "server's host"
        ) from None


@cache
def _trusted() -> ssl.SSLContext:
    """Verifies TLS by the certificates that are trusted here. It is shared: reading these takes 20 ms."""
    return httpx.create_ssl_context()
