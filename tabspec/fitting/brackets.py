"""Quotes, and matching brackets in text without a parser: prose, comments, strings, languages without a grammar."""

from __future__ import annotations

QUOTES = ("'", '"', "`")
OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}


def unmatched(text: str) -> tuple[list[int], list[int]]:
    """The positions in ``text`` of closing brackets without an opener, and of openers without a closer."""
    closers: list[int] = []
    stack: list[int] = []
    for i, char in enumerate(text):
        if char in OPENERS:
            stack.append(i)
        elif char in CLOSERS:
            if stack and text[stack[-1]] == CLOSERS[char]:
                stack.pop()
            else:
                closers.append(i)
    return closers, stack


def missing_closers(text: str) -> str:
    """The closing brackets that are missing at the end of ``text``, the innermost first."""
    return "".join(OPENERS[text[i]] for i in reversed(unmatched(text)[1]))
