"""What of the user's text is in a request, and whether it may leave this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tabspec.errors import ModelError
from tabspec.models.http.secrets import secret_in, secret_in_request
from tabspec.models.protocol import GenerationRequest, RelatedText
from tabspec.models.writing import writable


class SecretFound(ModelError):
    """A request holds what looks like a secret, and is not sent. Other requests may be."""


Decode = Callable[[Sequence[int]], str]
"""The text of token ids, for prompts that are sent as tokens."""


def secret_around(request: GenerationRequest) -> str:
    """What kind of secret the text of a question holds, as the document has it; "" for none."""
    names = ("head", "forced", "suffix", "before", "after", "resume", "path")
    sent: dict[str, Any] = {
        name: writable(getattr(request, name)) for name in names
    }  # a half of a character is sent as U+FFFD
    related = tuple(RelatedText(writable(piece.path), writable(piece.text)) for piece in request.related)
    return secret_in_request(replace(request, **sent, related=related))


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
