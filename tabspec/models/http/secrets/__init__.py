"""Finds text that looks like a secret, which must not leave this machine.

`find_secret` searches a text. `secret_in` and `secret_in_request` call it for several texts and for a request.
"""

from __future__ import annotations

from tabspec.models.http.secrets.find import Finding, find_secret, secret_in, secret_in_request

__all__ = ["Finding", "find_secret", "secret_in", "secret_in_request"]
