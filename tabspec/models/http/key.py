"""The key for a server: from the environment, or from the system's keyring. It is never logged or printed."""

from __future__ import annotations

import logging
import os

VARIABLE = "TABSPEC_API_KEY"
SERVICE = "tabspec"
"""The keyring's name for our keys; its user name is the server's address (``keyring set tabspec http://…``)."""

log = logging.getLogger(__name__)


def api_key(base: str) -> str:
    """The key for the server at ``base``; "" if there is none."""
    key = os.environ.get(VARIABLE, "").strip()
    if key:
        return key
    try:
        import keyring  # an extra; on a machine without a desktop it has no keys
    except ImportError:
        return ""
    try:
        return (keyring.get_password(SERVICE, base) or "").strip()
    except Exception as error:  # each backend raises errors of its own
        log.info("no key from the keyring: %s", type(error).__name__)
        return ""
