"""Moments between two releases as rows of tokens, and what an answer to their questions earns.

A row is an example of training (`tabspec.train.edits`): the past edits, the scanned lines, and questions with their
true answers. The answer to a question sees the true answers before it, as in a chain of accepted edits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tabspec.edits.reward import reward, saved_keys
from tabspec.errors import InputError
from tabspec.models.local.edits.changes import LineChange, repeated
from tabspec.prompt.edit_format import PastLines, tag_ends
from tabspec.text import difference
from tabspec.train.edits.encoder import EditEncoder
from tabspec.train.edits.layout import Layout, lay_out
from tabspec.train.edits.pack import RELEASES, Releases
from tabspec.train.edits.real import real_moment
from tabspec.train.edits.rows import MOST_EXAMPLES
from tabspec.train.examples.parts import SHIFT, TOKEN, Part
from tabspec.train.examples.tokenizer import load_tokenizer


@dataclass(frozen=True, slots=True)
class Earned:
    """What an answer brings if it is likely enough to be shown: its ``reward`` in keys, the keys that it ``saves``, and
    whether it is ``right``. ``repeats`` and ``partly`` as in `tabspec.models.local.edits.calibration.Evidence`. An
    answer that is never shown earns nothing and is not ``shown``."""

    shown: bool = False
    right: bool = False
    reward: float = 0.0
    saves: int = 0
    repeats: bool = False
    partly: bool = False


NOTHING = Earned()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a row. Its true answer has the tokens ``start`` to ``stop`` (excluded), its last one included.

    ``tags``: the tokens where those lines of its window state their tags that nothing has changed since the scan.
    ``old`` lines of the window become ``new``. ``past`` edits, and of the window the lines ``last`` that the last one
    has written. ``truth``: what the true answer brings.
    """

    start: int
    stop: int
    tags: tuple[int, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    past: tuple[PastLines, ...]
    last: tuple[int, int]
    truth: Earned = NOTHING


@dataclass(frozen=True, slots=True)
class EditRow:
    """The marked ``tokens`` of a moment (`tabspec.train.examples.parts`), and its questions."""

    tokens: tuple[int, ...]
    asked: tuple[Asked, ...]


def earned(asked: Asked, text: str | None) -> Earned:
    """What an answer ``text`` brings: the window's new lines, with a line end before each (None: it is no text).

    What changes lines of the last edit is not shown, as in serving (`tabspec.models.local.edits.judge`)."""
    new = None if text is None or (text and text[0] != "\n") else tuple(text[1:].split("\n")) if text else ()
    if new is None or new == asked.old:
        return NOTHING
    change = LineChange(0, len(asked.old), new)
    if change.least(asked.old).touches(*asked.last):
        return NOTHING
    repeats, partly = repeated(change, asked.old, asked.past)
    edit = difference(_ended(asked.old), _ended(new))
    saves = saved_keys(edit, moves=True) if edit else 0
    right = new == asked.new
    return Earned(True, right, reward(right, saves), saves, repeats, partly)


def all_earned(asked: Sequence[Asked], texts: Sequence[str | None]) -> list[Earned]:
    """What several answers bring, for a process."""
    return [earned(each, text) for each, text in zip(asked, texts, strict=True)]


def _ended(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def asked_of(layout: Layout, tokens: Sequence[int]) -> Iterator[Asked]:
    """The questions of an encoded example whose windows have a tag. Serving asks about no others."""
    parts = np.array(tokens) >> SHIFT
    stated = np.flatnonzero(parts >= Part.TAG_STAYS).tolist()
    tag_of = dict(zip((line for line, _ in tag_ends(layout.lines)), stated, strict=True))
    origins: list[int | None] = list(range(len(layout.lines)))
    past, last = layout.history, layout.last or (0, 0)
    for question, (start, stop) in zip(layout.questions, _runs(parts), strict=False):  # the last ones may be left out
        window = range(question.start, question.stop)
        tags = tuple(tag_of[o] for o in map(origins.__getitem__, window) if o is not None and o in tag_of)
        old, new = tuple(question.lines[question.start : question.stop]), tuple(question.new)
        place = (last[0] - question.start, last[1] - question.start)
        asked = Asked(start, stop, tags, old, new, tuple(past), place)
        if tags:
            truth = earned(asked, "".join(f"\n{line}" for line in new))
            yield Asked(start, stop, tags, old, new, asked.past, place, truth)
        if old != new:
            made = LineChange(question.start, question.stop, new).least(question.lines)
            if made.start == made.stop and made.start:
                origins[made.start - 1] = None  # an insertion that was made is not expected again
            origins[made.start : made.stop] = [None] * len(made.new)
            before = question.lines[made.start : made.stop]
            past = [*past, PastLines("\n".join(before) if before else None, "\n".join(made.new) if made.new else None)]
            last = (made.start, made.start + len(made.new))


def _runs(parts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where the answers stand: runs of tokens that are copied or written."""
    answer = np.isin(parts, (Part.COPIED, Part.WRITTEN)).astype(np.int8)
    edges = np.diff(answer, prepend=0, append=0)
    return list(zip(np.flatnonzero(edges > 0).tolist(), np.flatnonzero(edges < 0).tolist(), strict=True))


MOST_DRAWS = 1_000
"""Far more than are needed where any moment fits: after so many, the data have only lines that are too long."""


class MomentMaker:
    """Draws moments of ``releases``, as often of a file as training does. Moment ``number`` depends on these, ``seed``
    and it alone."""

    def __init__(self, releases: Releases, tokenizer: Tokenizer, seed: int) -> None:
        self._releases, self._encoder, self._seed = releases, EditEncoder(tokenizer), seed
        counts = [min(max(1, count // 2), MOST_EXAMPLES) for count in releases.counts]
        self._documents = np.repeat(np.arange(len(counts)), counts)

    def rows(self, numbers: Sequence[int]) -> list[EditRow]:
        """The rows of these moments. One that is too long, or without a question, has none."""
        layouts = [self._layout(number) for number in numbers]
        found = []
        for layout, tokens in zip(layouts, self._encoder.encode(layouts), strict=True):
            asked = tuple(asked_of(layout, tokens)) if tokens else ()
            if asked:
                found.append(EditRow(tuple(tokens), asked))
        return found

    def _layout(self, number: int) -> Layout:
        rng = Random(f"reinforce/{self._seed}/{number}")
        for _ in range(MOST_DRAWS):
            index = int(self._documents[rng.randrange(len(self._documents))])
            scene = real_moment(self._releases, index, rng)
            layout = lay_out(scene, rng) if scene else None
            if layout is not None:
                return layout
        raise InputError(
            f"of {MOST_DRAWS} moments drawn from these releases none can be shown to the model: use others"
        )


@dataclass(frozen=True, slots=True)
class MomentSource:
    """Where moments come from: a folder of `tabspec train edits`, the tokenizer's file, and the seed."""

    folder: Path
    tokenizer: Path
    seed: int

    def cutter(self) -> Callable[[Sequence[int]], list[EditRow]]:
        """What makes the rows of moments. Raises `InputError` if the folder or the tokenizer cannot be read."""
        return MomentMaker(Releases(self.folder / RELEASES), load_tokenizer(self.tokenizer), self.seed).rows


def plain(tokens: Sequence[int]) -> list[int]:
    """Marked tokens without their parts."""
    return [token & TOKEN for token in tokens]
