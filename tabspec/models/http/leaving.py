"""Which of the user's text is in a request, and whether it may leave this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tabspec.errors import ModelError
from tabspec.models.http.secrets import secret_in


class SecretFound(ModelError):
    """A request holds text that looks like a secret, and is not sent. Other requests may be sent."""


Decode = Callable[[Sequence[int]], str]
"""The text of token ids, for prompts that are sent as tokens."""


def secret_in_body(data: bytes, decode: Decode) -> str:
    """What kind of secret the body of a request holds; "" for none."""
    return secret_in(_texts(json.loads(data), decode))


def _texts(value: Any, decode: Decode) -> Iterator[str]:
    """All texts in a JSON value; a list of numbers is a prompt of tokens."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item, decode)
    elif isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        yield decode(value)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, decode)
