"""The engine's interface to a model that writes edits: `EditModel`, with its request and its answer.

Such a model rewrites a region of the document. The answer holds only what changes. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tabspec.models.protocol import Chunk, ModelInfo, RelatedText, Usage
from tabspec.suggestion import Finish
from tabspec.text import Edit

# The models on servers were trained with three to six past edits.
STEPS = 6
# 900 tokens, a third of what these models were trained with in all.
PAST_CHARS = 3000


@dataclass(frozen=True, slots=True)
class RegionSize:
    """How many lines ``above`` and ``below`` the cursor's line a model rewrites.

    ``chars`` is how many characters before and after the cursor a request holds. 0: the window of completions, which
    bounds what is sent to a server. ``steps`` and ``past_chars`` bound the history of a request.
    """

    above: int
    below: int
    chars: int = 0
    steps: int = STEPS
    past_chars: int = PAST_CHARS


@dataclass(frozen=True, slots=True)
class PastEdit:
    """One edit of the history: whole lines of a file, before and after.

    ``path`` is the file's base name, ``line`` the number of the first line, from 0. ``accepted``: the user took a
    suggestion. ``proposed``: that suggestion was a next edit. ``elsewhere``: the file is another than that of the
    request. ``typed``: a person wrote it, and no formatter or paste.
    """

    path: str
    line: int
    old: str
    new: str
    accepted: bool = False
    proposed: bool = False
    elsewhere: bool = False
    typed: bool = True


@dataclass(frozen=True, slots=True)
class EditRequest:
    """A request to rewrite ``region``, which stands between ``before`` and ``after`` in the document.

    All three are whole lines; ``before`` and ``after`` may be shortened. ``cursor`` is an offset in ``region``, and
    ``line`` the number of its first line, from 0. ``earlier`` is the region as it was before the last edit of this
    document. ``history`` holds the last edits, the oldest first. Lines end with ``\\n``. ``path`` is the file's base
    name. ``beyond`` is the document's text around all this, possibly shortened: it is searched for secrets that reach
    into what is sent, and not sent itself. ``foreground``: an editor waits for the answer.
    """

    path: str
    language: str
    before: str
    region: str
    after: str
    cursor: int
    line: int
    earlier: str
    history: tuple[PastEdit, ...] = ()
    related: tuple[RelatedText, ...] = ()
    beyond: tuple[str, str] = ("", "")
    foreground: bool = True

    @property
    def starts_file(self) -> bool:
        """Whether ``before`` begins where the document does."""
        return self.before.count("\n") == self.line

    def with_cursor(self, mark: str) -> str:
        """The region with ``mark`` at the cursor."""
        return self.region[: self.cursor] + mark + self.region[self.cursor :]


@dataclass(frozen=True, slots=True)
class EditAnswer:
    """``change`` is the change of the region's text; None: the model expects none.

    ``logprobs`` are the log-probabilities (natural logarithm) of the tokens that the model wrote, as far as they are
    known. ``usage`` is what the answer cost. ``probability`` is the calibrated chance that the change is right; None
    where the model has no calibration.
    """

    change: Edit | None
    logprobs: tuple[float, ...] = ()
    usage: Usage = Usage()
    probability: float | None = None


def chunk_of(answer: EditAnswer, region: str) -> Chunk:
    """An answer as the only chunk of a stream: the region's new text."""
    text = region if answer.change is None else answer.change.apply(region)
    return Chunk(text, (), answer.logprobs, usage=answer.usage, finish=Finish.END, probability=answer.probability)


class EditModel(Protocol):
    """A model that rewrites regions."""

    @property
    def info(self) -> ModelInfo:
        """``fingerprint`` changes whenever its answers may."""
        ...

    @property
    def region(self) -> RegionSize | None:
        """The size of the regions that it was trained on. None: it is known to write no edits, and is not asked."""
        ...

    @property
    def judges(self) -> bool:
        """Whether it finds in the region what patterns repeat there, and answers with what it does not reject."""
        ...

    async def edit(self, request: EditRequest) -> EditAnswer:
        """The next edit in the region. Cancelling the task stops the model.

        Raises `ModelError` where the model fails, `ModelUnavailable` where it cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Free what the model holds. No request may be running."""
        ...
