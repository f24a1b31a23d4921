"""Where the rows of completions come from, as a description that processes can be given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.reinforce.completions.holes import HoleMaker
from tabspec.train.reinforce.completions.rows import HoleRow, SortedTokens


@dataclass(frozen=True, slots=True)
class HoleSource:
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

    def words(self) -> SortedTokens:
        """The tokens. Raises `InputError` if the tokenizer cannot be read."""
        return SortedTokens(load_tokenizer(self.tokenizer), Vocabulary(self.tokenizer.read_text("utf-8")))

    def cutter(self) -> Callable[[Sequence[int]], list[HoleRow]]:
        """What makes the rows of holes."""
        maker, words = self.maker(), self.words()
        return lambda numbers: words.rows([maker.hole(number) for number in numbers], self.limit)
