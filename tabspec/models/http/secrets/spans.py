"""The result of a search for secrets, and functions that several searches use."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import re2


class SecretSpan(NamedTuple):
    """A place in a text that looks like a secret of some kind."""

    kind: str
    start: int
    end: int


def compiled(pattern: str) -> Any:
    """A regular expression in RE2's syntax, which is Go's. Matching takes linear time. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def entropy(text: str) -> float:
    """Shannon's entropy, in bits a character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values()) if text else 0.0
