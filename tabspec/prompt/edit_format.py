"""The format of the bundled model that writes edits: prompt, questions, answers, and a tag for each line.

    <|file|>name (<|edit|>\\n old <|to|>\\n new)* <|scan|>\\n lines \\n      what is read once
    (<|at|>\\n two lines <|old|>\\n window <|new|> answer)*                 each place's question and its answer

An answer is the window's new lines and ``<|eom|>``, or ``<|same|>`` where nothing changes. So a window that is deleted
is answered by ``<|eom|>`` at once. The newest past edit is the last one. An answered question is itself a past edit:
what was accepted along a chain is appended, and what was read before stays in the KV cache.

Each line of the scan has a `Tag`: whether it stays, changes, or gets new lines after it. The model states it at the
last token of the white space after the line, by the probabilities of three tokens. Blank lines have none: an insertion
after them belongs to the last line with text before. Texts begin with a line end, so that the first line is tokenized
as all others are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tabspec.prompt.fim import PromptPart, Special

FILE, RELATED, END = Special("<|file|>"), Special("<|rel|>"), Special("<|eom|>")
# The tokenizer has names for nine tokens that no format used before.
EDIT, TO, SCAN, AT, OLD, NEW, SAME = (Special(f"<|reserved{number}|>") for number in range(7))

BEFORE_WINDOW = 2  # lines before a window that show where it stands

_LINE_ENDS = re.compile(r"\s*\n\s*")  # white space with a line end: one piece for the tokenizer


class Tag(StrEnum):
    """What happens to a line. The value is the token by whose probability the model states it."""

    STAYS = SAME.token
    CHANGES = OLD.token
    INSERTS = NEW.token  # new lines after it; the line itself stays


@dataclass(frozen=True, slots=True)
class PastLines:
    """A past edit: whole lines before and after, without the last line end. None: there were no lines.

    ``path`` is the base name of another file than the one that is scanned, else "".
    """

    old: str | None
    new: str | None
    path: str = ""


def past(edit: PastLines) -> tuple[PromptPart, ...]:
    """A past edit in the prompt."""
    other = (RELATED, edit.path) if edit.path else ()
    return (EDIT, *other, *_lines(edit.old), TO, *_lines(edit.new))


def scan(path: str, edits: Sequence[PastLines], lines: Sequence[str]) -> tuple[PromptPart, ...]:
    """The prompt up to the first question. ``path`` is the file's base name, ``lines`` have no line ends."""
    history = tuple(part for edit in edits for part in past(edit))
    return (FILE, *((path,) if path else ()), *history, SCAN, scanned(lines))


def scanned(lines: Sequence[str]) -> str:
    """The text after `SCAN`, whose tokens get tags."""
    return "\n" + "\n".join(lines) + "\n"


def question(lines: Sequence[str], start: int, stop: int) -> tuple[PromptPart, ...]:
    """The question for lines ``start`` to ``stop`` (excluded) of the scanned ``lines``, as they are now."""
    above = lines[max(start - BEFORE_WINDOW, 0) : start]
    return (AT, *_lines("\n".join(above) if above else None), OLD, *_lines(_joined(lines[start:stop])), NEW)


def answer(old: Sequence[str], new: Sequence[str]) -> tuple[PromptPart, ...]:
    """The answer that turns the window ``old`` into ``new``."""
    return (SAME,) if list(old) == list(new) else (*_lines(_joined(new)), END)


def window_of(lines: Sequence[str], start: int, stop: int) -> tuple[int, int]:
    """The window for a run of tagged lines: the run, the blank lines after it, and one line on each side."""
    while stop < len(lines) and not lines[stop].strip():
        stop += 1
    return max(start - 1, 0), min(stop + 1, len(lines))


def tag_ends(lines: Sequence[str]) -> list[tuple[int, int]]:
    """The number of each line with text, and where its tag is stated.

    This is the offset in `scanned` of the last character of the white space after the line. The tag is stated at the
    token that holds this character.
    """
    numbers = [number for number, line in enumerate(lines) if line.strip()]
    runs = [run.end() - 1 for run in _LINE_ENDS.finditer(scanned(lines))]
    return list(zip(numbers, runs[1:], strict=True))  # the first run is before the first line


def _joined(lines: Sequence[str]) -> str | None:
    return "\n".join(lines) if lines else None


def _lines(text: str | None) -> tuple[PromptPart, ...]:
    return () if text is None else ("\n" + text,)
