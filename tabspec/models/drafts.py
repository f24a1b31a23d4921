"""Draft tokens by prompt lookup: code repeats itself, so what followed the last few tokens before is a good guess.

Drafts are verified in one pass and change nothing but the time (github.com/apoorvumang/prompt-lookup-decoding; the
verification is that of speculative sampling, arXiv 2302.01318, for the greedy case).
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from typing import Protocol


class Drafts(Protocol):
    """Guesses at the tokens that follow."""

    def propose(self, tokens: Sequence[int]) -> Sequence[int]:
        """What may follow ``tokens`` (prompt and what was written so far); empty if there is nothing to go by."""
        ...

    def verified(self, accepted: int, proposed: int) -> None:
        """Of the last proposal, the first ``accepted`` tokens were right."""
        ...


class NoDrafts:
    """Every token is decoded singly."""

    def propose(self, tokens: Sequence[int]) -> Sequence[int]:
        return ()

    def verified(self, accepted: int, proposed: int) -> None:
        return None


class PromptLookup:
    """Proposes what followed the latest earlier occurrence of the last tokens, while that pays.

    ``length`` tokens at most: with three, a pass has four rows, up to which our own decoder computes with int8 weights
    and costs 1.3 times a single step (measured at 25M parameters on two cores). So a proposal pays if more than
    ``pays`` tokens of it are right on average; if they have not been, only each ``probe``-th chance is taken. Never
    proposes ``barred`` tokens (control tokens end a proposal).
    """

    _LONGEST, _SHORTEST = 4, 2  # tokens that have to be equal: one alone (a bracket, an indentation) says too little

    def __init__(self, barred: Collection[int] = (), length: int = 3, pays: float = 0.3, probe: int = 12) -> None:
        self._barred, self._length, self._pays, self._probe = frozenset(barred), length, pays, probe
        self.average = 1.0  # right tokens a proposal, the latest counting most
        self._refrained = 0

    def propose(self, tokens: Sequence[int]) -> Sequence[int]:
        if self.average < self._pays:
            self._refrained += 1
            if self._refrained % self._probe:
                return ()
        seen = array("I", tokens).tobytes()
        size = array("I").itemsize
        for count in range(min(self._LONGEST, len(tokens) - 1), self._SHORTEST - 1, -1):
            at = _last(seen, seen[-count * size :], size)
            if at >= 0:
                return self._allowed(tokens[at + count : at + count + self._length])
        return ()

    def verified(self, accepted: int, proposed: int) -> None:
        self.average += 0.1 * (accepted - self.average)

    def _allowed(self, tokens: Sequence[int]) -> Sequence[int]:
        for i, token in enumerate(tokens):
            if token in self._barred:
                return tokens[:i]
        return tokens


def _last(seen: bytes, wanted: bytes, size: int) -> int:
    """Index of the latest token from which on ``wanted`` stands in ``seen`` with a token behind it; -1: nowhere."""
    end = len(seen) - size
    while (at := seen.rfind(wanted, 0, end)) >= 0:
        if at % size == 0:
            return at // size
        end = at + len(wanted) - 1  # found across a token's border
    return -1
