"""From a scene to tokens: the scan, where its tags are stated, and the questions."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from tabspec.models.local.edits.scene import MOST_TOKENS, Scene, SceneMaker
from tabspec.models.tokens.encoding import Encoder
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.prompt import edit_format
from tabspec.prompt.edit_format import PastLines
from tabspec.prompt.fim import PromptPart, Special

# Lines whose tokens were counted: those of some ten documents' scans.
_COUNTED = 4096


@dataclass(frozen=True, slots=True)
class Scan:
    """The tokens that are read once; the text begins at ``start``. ``ends`` has (line, token) for each line with a tag,
    which is stated by the logits after that token."""

    tokens: array[int]
    start: int
    ends: tuple[tuple[int, int], ...]


class EditPrompts:
    """Makes the prompts of one model."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._encode = Encoder(vocabulary)
        self.stays, self.changes, self.inserts = (vocabulary.ids[tag.value] for tag in edit_format.Tag)
        self.same, self.end = vocabulary.ids[edit_format.SAME.token], vocabulary.ids[edit_format.END.token]
        count = lru_cache(maxsize=_COUNTED)(lambda line: len(vocabulary.encode("\n" + line)))
        self.scenes = SceneMaker(count, self._past_count, self._fits)

    def scan(self, scene: Scene) -> Scan:
        """The scan of a scene."""
        *before, text = edit_format.scan(scene.path, scene.past, scene.scanned)
        assert isinstance(text, str)
        tokens = self._tokens(before)
        start = len(tokens)
        scanned = self._encode(text)
        tokens += scanned
        lengths = [len(self._vocabulary.bytes_of[token]) for token in scanned]
        stops = list(accumulate(lengths))  # in bytes
        offsets = _byte_offsets(text)
        ends = tuple(
            (line, start + bisect_right(stops, offsets[end])) for line, end in edit_format.tag_ends(scene.scanned)
        )
        return Scan(tokens, start, ends)

    def answered(self, scene: Scene) -> array[int]:
        """The tokens of the accepted changes."""
        tokens = array("I")
        for each in scene.answered:
            old = each.lines[each.start : each.stop]
            tokens += self.question(each.lines, each.start, each.stop)
            tokens += self._tokens(edit_format.answer(old, each.new))
        return tokens

    def question(self, lines: Sequence[str], start: int, stop: int) -> array[int]:
        """The tokens of the question for these lines."""
        return self._tokens(edit_format.question(lines, start, stop))

    def copied(self, old: Sequence[str]) -> list[int]:
        """The answer's tokens if the lines ``old`` were written again."""
        return [*(self._encode("\n" + "\n".join(old)) if old else ()), self.end]

    def _past_count(self, edit: PastLines) -> int:
        return len(self._tokens(edit_format.past(edit)))

    def _fits(self, scene: Scene) -> bool:
        """Whether the prompt is one as in training."""
        return len(self.scan(scene).tokens) + len(self.answered(scene)) <= MOST_TOKENS

    def _tokens(self, parts: Sequence[PromptPart]) -> array[int]:
        tokens = array("I")
        for part in parts:
            if isinstance(part, Special):
                tokens.append(self._vocabulary.ids[part.token])
            else:
                tokens += self._encode(part)
        return tokens


def _byte_offsets(text: str) -> Sequence[int]:
    """Where each character begins in UTF-8."""
    if text.isascii():
        return range(len(text))
    return list(accumulate((len(char.encode("utf-8")) for char in text), initial=0))
