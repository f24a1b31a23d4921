"""Text that looks like a secret is not sent off the machine.

`find_secret` is the function for all callers. `secret_in` and `secret_in_request` are shorter ways to call it.
"""

from __future__ import annotations

from tabspec.models.http.secrets.find import Finding, find_secret, secret_in, secret_in_request

__all__ = ["Finding", "find_secret", "secret_in", "secret_in_request"]
