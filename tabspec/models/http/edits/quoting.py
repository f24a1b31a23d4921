"""Special tokens of edit models in the user's text: a blank makes them text (as `tabspec.models.http.marks` does for
completions), and is taken out again where the answer repeats them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import SequenceMatcher

from tabspec.models.edit_protocol import EditRequest
from tabspec.models.http.marks import MARK, restored
from tabspec.models.protocol import RelatedText

# `<|any_word|>`, with a closing slash or a number, and Seed-Coder's `<[any-word]>`; and the marks of a merge conflict,
# between which Zeta 2 has the region. Each as its first character and the rest.
_KINDS = (
    (r"<", r"\|/?\w+(?:[+-]\d+)?\|>"),
    (r"<", r"\[[\w▁-]+\]>"),
    (r"<", r"<{6} CURRENT"),
    (r">", r">{6} UPDATED"),
    (r"^=", r"={6}$"),
)
_TOKEN = re.compile("|".join([*(first + rest for first, rest in _KINDS), MARK.pattern]), re.MULTILINE)
_QUOTED = re.compile("|".join(f"{first} {rest}" for first, rest in _KINDS), re.MULTILINE)


def quoted(text: str) -> str:
    """The text without special tokens: each has a blank after its first character."""
    return _TOKEN.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def quoted_request(request: EditRequest) -> EditRequest:
    """The request without special tokens in the user's text."""
    blanks = sum(found.start() < request.cursor for found in _TOKEN.finditer(request.region))
    return replace(
        request,
        path=_name(request.path),
        before=quoted(request.before),
        region=quoted(request.region),
        after=quoted(request.after),
        cursor=request.cursor + blanks,
        earlier=quoted(request.earlier),
        history=tuple(
            replace(edit, path=_name(edit.path), old=quoted(edit.old), new=quoted(edit.new)) for edit in request.history
        ),
        related=tuple(RelatedText(_name(each.path), quoted(each.text)) for each in request.related),
    )


def _name(path: str) -> str:
    """A file's name on one line."""
    return quoted(" ".join(path.split()))


def unquoted(new: str, region: str) -> str:
    """The answer ``new`` to a quoted request for ``region``, as the user would have written it. Lines that the model
    left as they were are the user's own, also where these have a blank at such a place."""
    asked, answered, own = quoted(region).split("\n"), new.split("\n"), region.split("\n")
    lines: list[str] = []
    for kind, first, last, new_first, new_last in SequenceMatcher(None, asked, answered, autojunk=False).get_opcodes():
        changed = answered[new_first:new_last]
        lines += own[first:last] if kind == "equal" else [_original(line) for line in changed]
    return "\n".join(lines)


def _original(line: str) -> str:
    return restored(_QUOTED.sub(lambda found: found[0][0] + found[0][2:], line))
