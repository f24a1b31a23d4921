"""Turns a corpus into rows of tokens: takes spans of documents in random order, makes examples, and packs them.

A *chunk* is the unit of work: the rows made from `CHUNK_SPANS` spans. Chunk number k depends only on the corpus, the
seed and k. So any process can make it, and a resumed run gets the same rows as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.fim import Example, ExampleEncoder, Order, make_example
from tabspec.train.examples.parts import Rows
from tabspec.train.examples.related import ProjectFiles
from tabspec.train.examples.tokenizer import PAD, special_id

SPAN_BYTES = 2_400  # about the length of an example
CHUNK_SPANS = 128  # enough to fill rows of 2,048 tokens to 95 %; a chunk takes a quarter of a second
MIN_PIECE = 32  # a gap of fewer tokens is padded, because so short a text has no training value


class RowMaker:
    """Makes the rows of chunks. A row has ``context + 1`` tokens, for inputs and targets, marked with their `Part`.

    ``spans``: the number of spans in a chunk.
    """

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, context: int, seed: int, spans: int = CHUNK_SPANS) -> None:
        self._spans = spans
        self._corpus, self._length, self._seed = corpus, context + 1, seed
        self._encoder = ExampleEncoder(tokenizer)
        self._pad = special_id(tokenizer, PAD)
        counts = [max(1, -(-(entry.end - entry.start) // SPAN_BYTES)) for entry in corpus]
        self._documents = np.repeat(np.arange(len(corpus)), counts)
        self._numbers = np.concatenate([np.arange(count) for count in counts])
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))
        self._neighbours = ProjectFiles(corpus)

    @property
    def chunks_per_epoch(self) -> int:
        """The number of chunks that use every span of the corpus once."""
        return max(1, len(self._documents) // self._spans)

    def chunk(self, number: int) -> Rows:
        """The rows of a chunk, shape (rows, context + 1)."""
        epoch, place = divmod(number, self.chunks_per_epoch)
        rng = Random(f"{self._seed}/{number}")
        spans = self._permutation(epoch)[place * self._spans : (place + 1) * self._spans]
        examples = [self._example(int(span), rng) for span in spans]
        ids = self._encoder.encode(examples, self._length)
        whole = [tokens for e, tokens in zip(examples, ids, strict=True) if e.order is not Order.LEFT_TO_RIGHT]
        divisible = [tokens for e, tokens in zip(examples, ids, strict=True) if e.order is Order.LEFT_TO_RIGHT]
        return pack(whole, divisible, self._length, self._pad)

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        if self._order[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch))
            self._order = (epoch, rng.permutation(len(self._documents)))
        return self._order[1]

    def _example(self, span: int, rng: Random) -> Example:
        index, number = int(self._documents[span]), int(self._numbers[span])
        entry, text = self._corpus[index], self._corpus.text(index)
        start = min(number * SPAN_BYTES, len(text))  # SPAN_BYTES as characters: nearly the same in most files
        related = partial(self._neighbours.around, index, rng=rng)
        return make_example(text, entry.name, start, min(start + SPAN_BYTES, len(text)), rng, related)


def pack(whole: list[list[int]], divisible: list[list[int]], length: int, pad: int) -> Rows:
    """Pack sequences into rows of ``length`` tokens.

    ``whole`` sequences are not divided. They are packed first fit, longest first, and none may be longer than
    ``length``. The gap of each row gets the first tokens of a ``divisible`` sequence. Further ``divisible`` ones are
    packed into new rows, and cut at the end of a row. Remaining gaps are padded with ``pad``.
    """
    rows: list[list[int]] = []
    _first_fit(rows, whole, length)
    fillers = iter(sorted((s for s in divisible if s), key=len))
    for row in rows:
        if length - len(row) >= MIN_PIECE and (filler := next(fillers, None)):
            row.extend(filler[: length - len(row)])
    for filler in fillers:
        if not rows or length - len(rows[-1]) < MIN_PIECE:
            rows.append([])
        rows[-1].extend(filler[: length - len(rows[-1])])
    packed = np.full((len(rows), length), pad, dtype=np.uint32)
    for place, row in enumerate(rows):
        packed[place, : len(row)] = row
    return packed


def _first_fit(rows: list[list[int]], sequences: list[list[int]], length: int) -> None:
    for sequence in sorted((s for s in sequences if s), key=len, reverse=True):
        for row in rows:
            if len(row) + len(sequence) <= length:
                row.extend(sequence)
                break
        else:
            rows.append(list(sequence))


class Batches:
    """Batches of a fixed number of rows from consecutive chunks, and the position reached in the chunks."""

    def __init__(self, chunks: Iterator[Rows], size: int, chunk: int = 0, skip: int = 0) -> None:
        """``chunks`` begins with number ``chunk``. Its first ``skip`` rows are left out."""
        self._chunks, self._size = chunks, size
        self._number, self._taken = chunk, skip  # the current chunk, and how many of its rows are used
        self._waiting: list[Rows] = []

    @property
    def position(self) -> tuple[int, int]:
        """``chunk`` and ``skip`` with which a new object continues from here."""
        return self._number, self._taken

    def take(self) -> Rows:
        """The next batch: (size, context + 1)."""
        parts: list[Rows] = []
        missing = self._size
        while missing:
            if not self._waiting:
                self._waiting.append(next(self._chunks))
            rows = self._waiting[0]
            part = rows[self._taken : self._taken + missing]
            parts.append(part)
            missing -= len(part)
            self._taken += len(part)
            if self._taken >= len(rows):
                self._waiting.pop(0)
                self._number, self._taken = self._number + 1, 0
        return np.concatenate(parts)
