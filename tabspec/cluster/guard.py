"""Which requests the endpoint accepts: by key, by Host and by Origin. Pure.

The checks of Host and Origin keep out web pages that a browser on a trusted machine has loaded. A page of another site
may send requests, and its host name may be resolved to this address (DNS rebinding); an address cannot.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from tabspec.errors import ConfigError

VARIABLE = "TABSPEC_CLUSTER_KEY"
# 16 characters of random hexadecimal digits are 64 bits, which is more than can be tried over a network.
SHORTEST_KEY = 16


class Unwanted(Exception):
    """The request is refused with this HTTP ``status``."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Guard:
    """``digest`` is `key_digest_of` the key that requests must have ("": none). ``hosts`` are host names that clients
    may use for the endpoint. localhost and IP addresses are always allowed."""

    digest: str = ""
    hosts: frozenset[str] = frozenset()

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises `Unwanted`. ``headers`` have names in lower case."""
        host = headers.get("host", "")
        if not self._known(host):
            raise Unwanted("this name is not known here: set it with --allow-host, or use the address", 403)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Unwanted("requests from other origins are refused", 403)
        scheme, _, key = headers.get("authorization", "").partition(" ")
        given = key_digest_of(key.strip() if scheme.lower() == "bearer" else "")
        if self.digest and not hmac.compare_digest(given, self.digest):
            raise Unwanted("the key is wrong, or there is none", 401)

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name == "localhost" or name in self.hosts or _is_address(name)


def key_digest_of(key: str) -> str:
    """The SHA-256 of a key. Only the digest is kept. All digests have the same length, so the time of a comparison does
    not reveal the length of the key."""
    return sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def digest_from_environment() -> str:
    """`key_digest_of` the key in TABSPEC_CLUSTER_KEY, or "" if it is not set. Raises `ConfigError` for a short key."""
    key = os.environ.get(VARIABLE, "").strip()
    if key and len(key) < SHORTEST_KEY:
        raise ConfigError(f"{VARIABLE} is shorter than {SHORTEST_KEY} characters; make one: openssl rand -hex 24")
    return key_digest_of(key) if key else ""


def warnings(host: str, guard: Guard, ray_token: bool) -> list[str]:
    """Warnings about a cluster that listens on ``host``, one line each. ``ray_token``: Ray's own ports need a token."""
    if host == "localhost" or (_is_address(host) and ip_address(host).is_loopback):
        return []
    found = []
    if not guard.digest:
        found.append(f"anyone who reaches {host} can use the model: set {VARIABLE}")
    found.append("key and text are sent unencrypted: put a proxy with TLS in front (docs/guide/cluster.md)")
    if not ray_token:
        found.append(
            "anyone who reaches Ray's ports can run programs here: set RAY_AUTH_MODE=token (docs/guide/cluster.md)"
        )
    return found


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
