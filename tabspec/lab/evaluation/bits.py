"""Bits per byte of unseen code, which are comparable between tokenizers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabspec.lab.evaluation.scorer import Scorer
from tabspec.train.examples.tokenizer import FILE, PREFIX, SUFFIX


@dataclass(frozen=True, slots=True)
class Bits:
    """Total bits, bytes and tokens of some texts."""

    bits: float = 0.0
    bytes: int = 0
    tokens: int = 0

    @property
    def per_byte(self) -> float:
        """Bits per byte of UTF-8. NaN if there are no bytes."""
        return self.bits / self.bytes if self.bytes else math.nan

    def __add__(self, other: Bits) -> Bits:
        return Bits(self.bits + other.bits, self.bytes + other.bytes, self.tokens + other.tokens)


def header(scorer: Scorer, name: str) -> list[int]:
    """The prompt of a file without a suffix, in tabspec's format. Empty for models with other special tokens."""
    file, suffix, prefix = (scorer.tokenizer.token_to_id(token) for token in (FILE, SUFFIX, PREFIX))
    if file is None or suffix is None or prefix is None:
        return []
    return [file, *scorer.tokenizer.encode(name, add_special_tokens=False).ids, suffix, prefix]


def text_bits(scorer: Scorer, text: str, name: str) -> Bits:
    """The bits of a document, left to right.

    The document is scored in windows as long as the context when serving. Windows overlap by half, so that at least
    half a context precedes every token except those of the first window.
    """
    head = header(scorer, name)
    tokens = scorer.tokenizer.encode(text, add_special_tokens=False).ids
    room = scorer.context - len(head)
    half, total, done = room // 2, 0.0, 0
    while done < len(tokens):
        start = max(done - half, 0) if done else 0
        window = tokens[start : start + room]
        scores = scorer.logprobs([*head, *window]) if head else scorer.logprobs(window)
        fresh = start + len(window) - done
        counted = scores[-min(fresh, len(scores)) :]
        total -= float(counted.sum()) / math.log(2)
        done = start + len(window)
    return Bits(total, len(text.encode()), len(tokens))


def corpus_bits(
    scorer: Scorer, texts: Sequence[tuple[str, str]], progress: Callable[[int], None] = lambda done: None
) -> Bits:
    """The bits of several documents (name, text) together."""
    total = Bits()
    for done, (name, text) in enumerate(texts, 1):
        total += text_bits(scorer, text, name)
        progress(done)
    return total
