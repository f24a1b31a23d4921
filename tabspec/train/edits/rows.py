"""Rows of edit examples: half of them real hunks, half synthetic, and some rows that fill in the middle.

A chunk depends only on the data, the seed and its number, as in `tabspec.train.examples.rows`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tabspec.errors import InputError
from tabspec.prompt.edit_format import PastLines
from tabspec.train.corpus.store import Corpus
from tabspec.train.edits.encoder import MOST_TOKENS, EditEncoder
from tabspec.train.edits.layout import Layout, lay_out
from tabspec.train.edits.moment import EditMoment
from tabspec.train.edits.pack import RELEASES, TEXTS, Releases
from tabspec.train.edits.real import real_moment
from tabspec.train.edits.synthetic.make import synthetic_moment
from tabspec.train.edits.synthetic.region import Region
from tabspec.train.examples.parts import Rows
from tabspec.train.examples.rows import RowMaker, pack
from tabspec.train.examples.tokenizer import PAD, load_tokenizer, special_id

CHUNK_EXAMPLES = 128  # of edits
# The spans of filling in the middle (`tabspec.train.examples.rows`) that make as many rows as these (measured: 22 make
# 15 % of the rows).
_AS_MANY_SPANS = 22 * 0.85 / 0.15
MIDDLES_SHARE = 0.15
SYNTHETIC_SHARE = 0.5
REGION_LINES = (45, 130)  # of a synthetic edit: one to three scans
NAMELESS_SHARE = 0.05
# The most examples of a document in an epoch; one for each two hunks.
MOST_EXAMPLES = 8


class EditRowMaker:
    """Makes the rows of chunks. A row has ``context + 1`` tokens, marked with their `Part`.

    Synthetic edits are made in ``texts`` and in the newest versions of ``releases``. Rows that fill in the middle come
    from both, in turn, or from ``middles``; they are about the share ``middles_share`` of all rows (less where its
    files are short). ``releases`` may be None: then all edits are synthetic.
    """

    def __init__(
        self,
        texts: Corpus,
        releases: Releases | None,
        tokenizer: Tokenizer,
        context: int,
        seed: int,
        middles: Corpus | None = None,
        middles_share: float = MIDDLES_SHARE,
    ) -> None:
        if context < MOST_TOKENS:
            raise InputError(f"edits need rows of at least {MOST_TOKENS} tokens; give a larger --context")
        self._releases, self._length, self._seed = releases, context + 1, seed
        corpora = [middles] if middles is not None else [texts, releases.corpus] if releases else [texts]
        spans = max(1, round(_AS_MANY_SPANS * middles_share / (1 - middles_share)))
        self._fim = [RowMaker(corpus, tokenizer, context, seed, spans) for corpus in corpora]
        self._encoder = EditEncoder(tokenizer)
        self._pad = special_id(tokenizer, PAD)
        self._texts = [(texts, index) for index in range(len(texts))]
        if releases:
            self._texts += [(releases.corpus, index) for index in _newest(releases.corpus)]
        self._ends = np.cumsum([corpus[index].end - corpus[index].start for corpus, index in self._texts])
        counts = [min(max(1, count // 2), MOST_EXAMPLES) for count in releases.counts] if releases else []
        self._documents = np.repeat(np.arange(len(counts)), counts)
        self._real = round(CHUNK_EXAMPLES * (1 - SYNTHETIC_SHARE)) if releases else 0
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    @property
    def chunks_per_epoch(self) -> int:
        """The number of chunks that use every real document. Without real ones, about every text."""
        if not self._real:
            return self._fim[0].chunks_per_epoch
        return max(1, len(self._documents) // self._real)

    def chunk(self, number: int) -> Rows:
        """The rows of a chunk, shape (rows, context + 1)."""
        rng = Random(f"edits/{self._seed}/{number}")
        recent: deque[PastLines] = deque(maxlen=12)
        layouts: list[Layout] = []
        for index in self._numbers(number):
            moment = self._real_moment(index, rng)
            self._add(layouts, recent, moment, rng)
        while len(layouts) < CHUNK_EXAMPLES:
            self._add(layouts, recent, self._synthetic_moment(list(recent), rng), rng)
        edits = pack(self._encoder.encode(layouts), [], self._length, self._pad)
        kind = number % len(self._fim)
        return np.concatenate([edits, self._fim[kind].chunk(number // len(self._fim))])

    def _numbers(self, number: int) -> list[int]:
        """The documents of a chunk."""
        epoch, place = divmod(number, self.chunks_per_epoch)
        if self._real and self._order[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch, 1))
            self._order = (epoch, rng.permutation(len(self._documents)))
        found = self._order[1][place * self._real : (place + 1) * self._real]
        return [int(self._documents[n]) for n in found]

    def _real_moment(self, index: int, rng: Random) -> EditMoment | None:
        assert self._releases is not None
        return real_moment(self._releases, index, rng)

    def _synthetic_moment(self, others: list[PastLines], rng: Random) -> EditMoment | None:
        place = rng.randrange(int(self._ends[-1]))  # of all bytes, so that each line is as likely
        corpus, index = self._texts[int(np.searchsorted(self._ends, place, side="right"))]
        entry, lines = corpus[index], corpus.text(index).removesuffix("\n").split("\n")
        first = rng.randrange(max(len(lines) - REGION_LINES[0], 1))
        region = Region(entry.name, entry.language, lines[first : first + rng.randint(*REGION_LINES)])
        return synthetic_moment(region, others, rng)

    def _add(self, layouts: list[Layout], recent: deque[PastLines], moment: EditMoment | None, rng: Random) -> None:
        if moment is None or not moment.lines or not moment.history:
            return
        if rng.random() < NAMELESS_SHARE:
            moment.name = ""
        layout = lay_out(moment, rng)
        if layout is not None:
            layouts.append(layout)
            last = moment.history[-1]
            recent.append(PastLines(last.old, last.new, last.path or moment.name))


def _newest(corpus: Corpus) -> list[int]:
    """The last version of each file: versions are adjacent."""
    return list({(entry.project, entry.path): index for index, entry in enumerate(corpus)}.values())


@dataclass(frozen=True, slots=True)
class EditDataConfig:
    """The source of rows: a folder (`tabspec.train.edits.pack`), a tokenizer file, tokens in a row, and the seed.

    ``middles``: a corpus for the rows that fill in the middle, if not the folder's texts. ``middles_share``: the share
    of these rows.
    """

    pack: Path
    tokenizer: Path
    context: int
    seed: int
    middles: Path | None = None
    middles_share: float = MIDDLES_SHARE

    def maker(self) -> EditRowMaker:
        """A row maker. Raises `InputError` if the data or the tokenizer cannot be used."""
        releases = Releases(self.pack / RELEASES) if (self.pack / RELEASES).is_dir() else None
        tokenizer = load_tokenizer(self.tokenizer)
        middles = Corpus(self.middles) if self.middles else None
        texts, share = Corpus(self.pack / TEXTS), self.middles_share
        return EditRowMaker(texts, releases, tokenizer, self.context, self.seed, middles, share)
