"""A decoder that answers the questions of the edit format by a rule on the window's text, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tabspec.models.local.edits.writer import LocalEdits
from tabspec.models.local.logits import Logits
from tabspec.models.protocol import ModelInfo
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.prompt import edit_format
from tabspec.prompt.edit_format import Tag
from tests import tiny

SPECIAL = (*tiny.OURS, *(f"<|reserved{number}|>" for number in range(7)))
OURS_PIECES = r"\s*\n\s*|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|[^\S\n]+"
"""White space with a line end is one piece, as for the bundled model."""

Rule = Callable[[str], str]
"""A window's text to its new text; the same text for no change."""
TagRule = Callable[[str], Tag]


def vocabulary() -> Vocabulary:
    return Vocabulary(tiny.byte_level(SPECIAL, OURS_PIECES).to_str())


class RuleDecoder:
    """A `Decoder` whose model answers by ``rule``, and tags each line by ``tag``. Its KV cache is the list of tokens.

    ``passes`` has the number of tokens of each pass. ``sure`` is the log-odds of what it states.
    """

    context = 2048

    def __init__(self, vocabulary: Vocabulary, rule: Rule, tag: TagRule, sure: float = 6.0) -> None:
        self.vocabulary, self.rule, self.tag, self.sure = vocabulary, rule, tag, sure
        self.passes: list[int] = []
        ids = vocabulary.ids
        self._scan, self._at, self._old, self._new, self._same, self._end = (
            ids[special.token]
            for special in (
                edit_format.SCAN,
                edit_format.AT,
                edit_format.OLD,
                edit_format.NEW,
                edit_format.SAME,
                edit_format.END,
            )
        )

    def new_kv(self) -> list[int]:
        return []

    def truncate(self, kv: list[int], length: int) -> None:
        del kv[length:]

    def copy(self, source: list[int], target: list[int], length: int) -> None:
        target[:] = source[:length]

    def forward(self, kv: list[int], tokens: Sequence[int], want: int) -> Logits:
        self.passes.append(len(tokens))
        rows = np.zeros((want, self.vocabulary.size), np.float32)
        for number, token in enumerate(tokens):
            kv.append(token)
            row = number - len(tokens) + want
            if row >= 0:
                rows[row, self._next(kv)] = self.sure
        return rows

    def _next(self, kv: list[int]) -> int:
        asked = max((at for at, token in enumerate(kv) if token == self._new), default=-1)
        if self._at in kv and asked > len(kv) - 1 - kv[::-1].index(self._at):
            return self._answer(kv, asked)
        if self._scan in kv:
            text = self._text(kv[kv.index(self._scan) + 1 :])
            return self.vocabulary.ids[self.tag(next(iter(text.strip().split("\n")[-1:]), ""))]
        return self._end

    def _answer(self, kv: list[int], asked: int) -> int:
        opened = asked - 1 - kv[:asked][::-1].index(self._old)
        window = self._text(kv[opened + 1 : asked])[1:]
        new = self.rule(window)
        if new == window:
            return self._same
        wanted = [*(self.vocabulary.encode("\n" + new) if new else ()), self._end]
        written = kv[asked + 1 :]
        going = len(written) < len(wanted) and wanted[: len(written)] == written
        return wanted[len(written)] if going else self._end

    def _text(self, tokens: Sequence[int]) -> str:
        return b"".join(self.vocabulary.bytes_of[token] for token in tokens).decode("utf-8", "replace")


def ruled(rule: Rule, tag: TagRule, sure: float = 6.0) -> tuple[LocalEdits, RuleDecoder]:
    """An edit model that answers by a rule, and its decoder."""
    decoder = RuleDecoder(vocabulary(), rule, tag, sure)
    return LocalEdits.of(ModelInfo("ruled", "ruled", decoder.context), decoder, decoder.vocabulary), decoder
