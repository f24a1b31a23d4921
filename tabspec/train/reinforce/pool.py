"""Processes that make rows and judge what was written, in parallel with the accelerator."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

# Rows of one task. A task takes about 50 ms.
TASK = 4

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class HasCutter(Protocol[R_co]):
    """What rows are made from; can be sent to a process."""

    def cutter(self) -> Callable[[Sequence[int]], Sequence[R_co]]:
        """What makes the rows of these numbers. Raises `InputError` if the source cannot be read."""


_here: list[Any] = []  # one cutter, in a process of the pool


def _start(source: HasCutter[Any]) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are parallel already
    _here.append(source.cutter())


def _rows(numbers: Sequence[int]) -> Any:
    return _here[0](numbers)


class Workers(Generic[T]):
    """``count`` processes; with 0, all is done in this one, when the result is asked for."""

    def __init__(self, source: HasCutter[T], count: int) -> None:
        self._pool = None
        self._rows: Callable[[Sequence[int]], Any] = _rows
        if count:
            # spawn, because a fork of a process with a GPU context can hang
            self._pool = multiprocessing.get_context("spawn").Pool(count, _start, (source,))
        else:
            self._rows = source.cutter()

    def __enter__(self) -> Workers[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool.join()

    def rows(self, numbers: Sequence[int]) -> Waiting[T]:
        """The rows of these numbers; a number without one is left out."""
        return self.all(self._rows, [(numbers[at : at + TASK],) for at in range(0, len(numbers), TASK)])

    def all(self, function: Any, tasks: list[tuple[Any, ...]]) -> Waiting[Any]:
        """What ``function`` returns for the arguments of each task, one list after the other."""
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
