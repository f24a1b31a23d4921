"""The output of a run: a progress bar, and a log of JSON lines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Logged(Protocol):
    """A line of a log: a dataclass. ``seconds`` since the run began; ``summary`` is what is shown."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def seconds(self) -> float: ...

    @property
    def summary(self) -> str: ...


Line = TypeVar("Line", bound=Logged)


@dataclass(frozen=True, slots=True)
class Record:
    """A line of the log. Losses are in nats per goal. ``loss`` is the training loss, in which some parts weigh more.

    ``waiting``: the share of the time in which the training waited for rows. ``validation``: the loss of all held-out
    goals (None: not measured). ``prefixes``, ``middles``, ``ends``: the loss of those in prefixes, in middles, and of
    the end-of-middle tokens alone. ``copied``, ``written``, ``tags``: the loss of those tokens of answers, and of tags.

    Shares, each token after the right ones: ``answers`` are answers that change something and are exact. ``changes``
    are those whose first token is not ``<|same|>``, and ``stays`` are answers ``<|same|>`` that are found. ``found``
    are lines whose tag is that they change or get new lines, and is found. ``false`` are lines that stay, with another
    tag.
    """

    step: int
    tokens: int
    seconds: float
    loss: float
    rate: float
    tokens_per_second: float
    waiting: float = 0.0
    validation: float | None = None
    prefixes: float | None = None
    middles: float | None = None
    ends: float | None = None
    copied: float | None = None
    written: float | None = None
    tags: float | None = None
    answers: float | None = None
    changes: float | None = None
    stays: float | None = None
    found: float | None = None
    false: float | None = None

    @property
    def summary(self) -> str:
        """The step, losses and speed in one line."""
        return (
            f"step {self.step}  loss {self.loss:.3f}"
            + (f"  held out {self.validation:.3f}" if self.validation is not None else "")
            + (f" (middles {self.middles:.3f})" if self.middles is not None else "")
            + (f" (answers {self.answers:.1%} exact)" if self.answers is not None else "")
            + f"  {self.tokens_per_second:,.0f} tokens/s"
        )


class Journal:
    """Appends records to ``path`` and shows the newest on ``console``."""

    def __init__(self, path: Path, console: Console) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:5.1f} %"),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("training", total=1.0, detail="starting")

    def __enter__(self) -> Journal:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()
        self._file.close()

    def write(self, record: Logged, progress: float) -> None:
        """Add a record; ``progress`` is the share of the run that is done."""
        self._file.write(json.dumps(asdict(record)) + "\n")
        self._file.flush()
        left = record.seconds * (1 - progress) / progress if progress > 0 else 0.0
        detail = f"{record.summary}  {left / 60:.0f} min left"
        self._progress.update(self._task, completed=progress, detail=detail)
        if not self._progress.console.is_terminal:
            self._progress.console.print(detail, highlight=False)


def read_journal(path: Path) -> list[Record]:
    """The records of a log of `tabspec train run`. Incomplete lines are skipped."""
    return read_lines(path, Record)


def read_lines(path: Path, kind: type[Line]) -> list[Line]:
    """The records of a log. Incomplete lines are skipped."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(kind(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return records
