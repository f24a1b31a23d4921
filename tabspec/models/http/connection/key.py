"""The API key for a server: from the environment, or from the system's keyring. It is never logged or printed.

A key belongs to one host. The keyring stores it under the server's address; in the environment, a second variable names
the host.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tabspec.errors import ModelNotUsable
from tabspec.models.http.connection.route import Route

VARIABLE = "TABSPEC_API_KEY"
HOST_VARIABLE = "TABSPEC_API_HOST"
SERVICE = "tabspec"
"""The keyring's name for our keys; its user name is the server's address (``keyring set tabspec https://…``)."""

_PORTS = {"http": 80, "https": 443}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """``value`` is sent with each request ("": no key). ``withheld``: why a key that exists is not sent."""

    value: str = field(default="", repr=False)
    withheld: str = ""


NO_KEY = ApiKey()


def key_for(base: str, route: Route, given: str | None = None) -> ApiKey:
    """The key for the server at ``base``; ``given`` overrules environment and keyring. Raises `ModelNotUsable` for a
    key that no HTTP header can hold."""
    withheld = ""
    if given is None:
        given = os.environ.get(VARIABLE, "").strip()
        if given and (withheld := _of_another_host(base)):
            given = ""
        given = given or _from_keyring(base)
    if not (given.isascii() and given.isprintable()):
        raise ModelNotUsable(f"the key for {base} holds characters that no key has: set {VARIABLE} anew")
    if given and route.clear:
        return ApiKey("", f"the key is not sent over http:// to another machine: use https:// for {base}, or a tunnel")
    return ApiKey(given, "" if given else withheld)


def _of_another_host(base: str) -> str:
    """Why the environment's key is not for the server at ``base``; "" if it is."""
    wanted, server = os.environ.get(HOST_VARIABLE, "").strip(), urlsplit(base)
    if not wanted:
        return f"{VARIABLE} is not sent without {HOST_VARIABLE}: set {HOST_VARIABLE}={server.netloc}"
    try:
        named = urlsplit(wanted if "://" in wanted else f"//{wanted}")
        port = named.port
    except ValueError:
        return f"{HOST_VARIABLE} is no host: set {HOST_VARIABLE}={server.netloc}"
    same_port = port is None or port == (server.port or _PORTS[server.scheme])
    if named.hostname == server.hostname and same_port and named.scheme in ("", server.scheme):
        return ""
    return f"{VARIABLE} is for {named.netloc} (set by {HOST_VARIABLE}), not for {server.netloc}"


def _from_keyring(base: str) -> str:
    try:
        import keyring  # an extra; on a machine without a desktop it has no keys
    except ImportError:
        return ""
    try:
        return (keyring.get_password(SERVICE, base) or "").strip()
    except Exception as error:  # each backend raises errors of its own
        log.info("no key from the keyring: %s", type(error).__name__)
        return ""
