"""Processes that cut holes and judge texts, in parallel with the accelerator."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.reinforce.holes import Hole, HoleMaker
from tabspec.train.reinforce.rows import Row, Words
from tabspec.train.reinforce.shown import Decoded, PartOutcome, outcomes

# Holes of one task: a task takes about 50 ms.
TASK = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where holes come from (`HoleMaker`), the tokenizer's file, and the most tokens of a row."""

    corpus: Path | None
    additions: Path | None
    share: float
    seed: int
    cursors: int
    tokenizer: Path
    limit: int

    def maker(self) -> HoleMaker:
        """The maker of holes. Raises `InputError` if a source cannot be read."""
        return HoleMaker(self.corpus, self.additions, self.share, self.seed, self.cursors)

    def words(self) -> Words:
        """The tokens. Raises `InputError` if the tokenizer cannot be read."""
        return Words(load_tokenizer(self.tokenizer), Vocabulary(self.tokenizer.read_text("utf-8")))


class _Cutter:
    """Cuts the holes of a source, in a process."""

    def __init__(self, source: Source) -> None:
        self._limit, self._maker, self._words = source.limit, source.maker(), source.words()

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        return self._words.rows([self._maker.hole(number) for number in numbers], self._limit)


_here: list[_Cutter] = []  # one, in a process of the pool


def _start(source: Source) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are parallel already
    _here.append(_Cutter(source))


def _rows(numbers: Sequence[int]) -> list[Row]:
    return _here[0].rows(numbers)


Outcomes = list[list[PartOutcome] | None]


def _judged(holes: Sequence[Hole], decoded: Sequence[Sequence[Decoded]], follow: bool) -> list[Outcomes]:
    return [outcomes(hole, each, follow) for hole, each in zip(holes, decoded, strict=True)]


class Workers:
    """``count`` processes; with 0, all is done in this one, when the result is asked for."""

    def __init__(self, source: Source, count: int) -> None:
        self._pool = None
        self._rows: Callable[[Sequence[int]], list[Row]] = _rows
        if count:
            # spawn, because a fork of a process with a GPU context can hang
            self._pool = multiprocessing.get_context("spawn").Pool(count, _start, (source,))
        else:
            self._rows = _Cutter(source).rows

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool.join()

    def rows(self, numbers: Sequence[int]) -> Waiting[Row]:
        """The rows of these holes; a hole without one is left out."""
        return self._all(self._rows, [(numbers[at : at + TASK],) for at in range(0, len(numbers), TASK)])

    def judged(self, rows: Sequence[Row], decoded: Sequence[Sequence[Decoded]], follow: bool) -> Waiting[Outcomes]:
        """The outcomes of what was written in each row (`tabspec.train.reinforce.shown.outcomes`)."""
        holes = [row.hole for row in rows]
        tasks = [(holes[at : at + TASK], decoded[at : at + TASK], follow) for at in range(0, len(holes), TASK)]
        return self._all(_judged, tasks)

    def _all(self, function: Any, tasks: list[tuple[Any, ...]]) -> Waiting[Any]:
        pending = None if self._pool is None else self._pool.starmap_async(function, tasks, 1)
        return Waiting(function, tasks, pending)


@dataclass(frozen=True, slots=True)
class Waiting(Generic[T]):
    """A result that is being computed."""

    function: Any
    tasks: list[tuple[Any, ...]]
    pending: AsyncResult[list[list[T]]] | None

    def get(self) -> list[T]:
        """The result, in the order of the tasks."""
        found = self.pending.get() if self.pending else [self.function(*task) for task in self.tasks]
        return [each for part in found for each in part]
