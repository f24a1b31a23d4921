"""The search for secrets in the text of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from tabspec.models.http.secrets import assigned, known, runs, typed
from tabspec.models.http.secrets.ruleset import gitleaks, ours
from tabspec.models.http.secrets.spans import SecretSpan
from tabspec.models.protocol import GenerationRequest

# Characters around the sent text that are searched for the rest of a secret that the window cuts: more than the longest
# line of a key has, and few enough to cost no time.
_BEYOND = 4_096
# Whole lines around the window, for values whose name is in the line before.
_BEYOND_LINES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """``kind``: what the secret seems to be, for a message to the user. Holds nothing of the secret itself."""

    kind: str


def find_secret(text: str, suffix: str = "", *, before: str = "", after: str = "", name: str = "") -> Finding | None:
    """The first secret in a text that is to be sent, or None. Takes linear time.

    ``text`` and ``suffix`` are sent, from before and after the cursor. They are searched as one text, to find a secret
    with the cursor in it. ``before`` and ``after`` are the document's text around both. They are not sent; they
    complete a secret of which the window holds a part. ``name`` is the file's name (or path), which decides the file's
    type: in configuration files, values without quotes count, too. "" is a file of code.
    """
    text, suffix = _encodable(text), _encodable(suffix)
    left, right = _encodable(_tail(before)), _encodable(_head(after))
    whole = left + text + suffix + right
    start, cursor = len(left), len(left) + len(text)
    end = cursor + len(suffix)
    for kind, at, to in _spans(whole, name):
        if to > start and at < end:
            return Finding(kind)
    if kind := typed.secret_at(whole[:cursor], whole[cursor:], name) or runs.inside(before, after):
        return Finding(kind)
    return None


def secret_in(texts: Iterable[str]) -> str:
    """The kind of secret in one of the texts; "" for none. Each text is searched by itself."""
    return next((found.kind for text in texts if (found := find_secret(text))), "")


def secret_in_request(request: GenerationRequest) -> str:
    """The kind of secret in the user's text of a request; "" for none.

    The document's text is searched as one, with and without what a model has written at the cursor; and each piece of
    related code.
    """
    return _secret_in_request(
        request.prefix,
        request.resume,
        request.suffix,
        _tail(request.before),
        _head(request.after),
        runs.inside(request.before, request.after),
        request.path,
        tuple((piece.path, piece.text) for piece in request.related),
    )


@lru_cache(maxsize=16)  # for one place there are a preview and a few requests (speculations)
def _secret_in_request(
    prefix: str,
    resume: str,
    suffix: str,
    before: str,
    after: str,
    inside: str,
    path: str,
    related: tuple[tuple[str, str], ...],
) -> str:
    for text in {prefix, prefix + resume}:
        if found := find_secret(text, suffix, before=before, after=after, name=path):
            return found.kind
    return inside or next((found.kind for name, text in related if (found := _in_piece(name, text))), "")


@lru_cache(maxsize=256)  # pieces of other files, the same ones from request to request
def _in_piece(name: str, text: str) -> Finding | None:
    return find_secret(text, name=name)


def _spans(text: str, name: str) -> Iterator[SecretSpan]:
    searches: tuple[Callable[[str, str], Iterator[SecretSpan]], ...] = (
        ours().search,
        gitleaks().search,
        known.search,
        assigned.search,
        runs.search,
    )
    for search in searches:
        yield from search(text, name)


def _encodable(text: str) -> str:
    """The text with "?" for each surrogate, which RE2 does not accept. The length is the same."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _tail(before: str) -> str:
    """The last lines before the window."""
    near = before[-_BEYOND:]
    at = len(near)
    for _ in range(_BEYOND_LINES + 1):
        at = near.rfind("\n", 0, max(at, 0))
        if at < 0:
            return near
    return near[at + 1 :]


def _head(after: str) -> str:
    near = after[:_BEYOND]
    at = -1
    for _ in range(_BEYOND_LINES + 1):
        at = near.find("\n", at + 1)
        if at < 0:
            return near
    return near[:at]
