"""Gets rows from worker processes during training, in the same order as from a single process."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from types import TracebackType
from typing import Protocol

from tabspec.errors import TabspecError
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.parts import Rows
from tabspec.train.examples.rows import RowMaker
from tabspec.train.examples.tokenizer import load_tokenizer

# Chunks in each worker's queue: a few megabytes, enough for a GPU for one or two seconds.
WAITING = 8


class Maker(Protocol):
    """Makes the rows of a chunk, which depend only on its number."""

    @property
    def chunks_per_epoch(self) -> int:
        """The number of chunks after which the data repeat."""

    def chunk(self, number: int) -> Rows:
        """The rows of chunk ``number``."""


class RowSource(Protocol):
    """What the workers make rows from: a picklable description of a row maker."""

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's file."""

    @property
    def seed(self) -> int:
        """The same seed gives the same rows."""

    def maker(self) -> Maker:
        """A new row maker."""


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The source of rows: a corpus folder, a tokenizer file, tokens in a row, and the seed."""

    corpus: Path
    tokenizer: Path
    context: int
    seed: int

    def maker(self) -> RowMaker:
        """A row maker. Raises `InputError` if corpus or tokenizer cannot be used."""
        return RowMaker(Corpus(self.corpus), load_tokenizer(self.tokenizer), self.context, self.seed)


class RowStream:
    """Iterates over chunks ``start``, ``start + 1``, ... With ``workers`` = 0 they are made in this process."""

    def __init__(self, data: RowSource, start: int, workers: int) -> None:
        self._data, self._start = data, start
        self._queues: list[Queue[Rows | str]] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []
        if workers:
            # spawn, because a fork of a process with a GPU context or a thread pool can hang
            context = multiprocessing.get_context("spawn")
            for worker in range(workers):
                queue: Queue[Rows | str] = context.Queue(WAITING)
                arguments = (data, start + worker, workers, queue)
                process = context.Process(target=_work, args=arguments, daemon=True)
                process.start()
                self._queues.append(queue)
                self._processes.append(process)

    def __enter__(self) -> RowStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            process.terminate()
            process.join()

    def __iter__(self) -> Iterator[Rows]:
        if not self._queues:
            maker, number = self._data.maker(), self._start
            while True:
                yield maker.chunk(number)
                number += 1
        while True:
            for queue in self._queues:
                item = queue.get()
                if isinstance(item, str):
                    raise TabspecError(f"a data worker stopped: {item}")
                yield item


def _work(data: RowSource, number: int, step: int, queue: Queue[Rows | str]) -> None:
    # one thread in each worker, because the workers run in parallel
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        maker = data.maker()
        while True:
            queue.put(maker.chunk(number))
            number += step
    except KeyboardInterrupt:
        return
    except Exception as error:
        queue.put(f"{type(error).__name__}: {error}")
