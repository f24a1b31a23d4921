"""The cut point: text that a model generates after it cannot change the suggestion.

Models stop there (`StopRule.around`). Post-processing truncates every text there before its other steps
(`tabspec.fitting.truncation`). The suggestion is therefore the same whether the model stopped or continued. Both call
`Around.cut_point`, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabspec.fitting.repetition import find_loop, repeats_next_line
from tabspec.fitting.unseen import unseen


@dataclass(frozen=True, slots=True)
class Around:
    """The part of a document that determines the cut point of a text.

    ``line`` is the cursor's line up to the cursor. ``below`` is the next line that is not blank, stripped ("": none is
    near). ``repetition`` and ``indentation`` enable these cuts; the cut at invisible characters is always made. Line
    ends of texts are ``\\n``."""

    line: str = ""
    below: str = ""
    repetition: bool = True
    indentation: bool = True

    def cut_point(self, text: str, since: int = 0) -> int | None:
        """The length of the shortest prefix of ``text`` after which further text cannot change the suggestion. None if
        there is none.

        The caller knows that the first ``since`` characters have no cut point; they are not searched again.
        """
        ends: list[int | None] = [unseen(text, since)]
        if self.repetition:
            found = find_loop(text, since)
            ends += [found and found[0], repeats_next_line(self.line, text, self.below, since)]
        if self.indentation:
            ends.append(leaves_block(self.line, text))
        return min((end for end in ends if end is not None), default=None)


def leaves_block(line: str, text: str) -> int | None:
    """The offset at which ``text`` leaves its block, or None.

    A text leaves its block with the first line that is indented less than its first line that is not blank. The offset
    is after the first character of that line. A line that begins with a closing bracket may be indented less, because
    it ends something inside the block. ``line`` is the cursor's line up to the cursor.
    """
    start = 0
    own: str | None = None
    for number, each in enumerate(text.split("\n")):
        if each.strip():
            indent = _indent(line + each if number == 0 else each)
            if own is None:
                own = indent
            elif own != indent and own.startswith(indent) and each.lstrip()[0] not in ")]}":
                return start + len(indent) + 1
        start += len(each) + 1
    return None


def end_with_block(line: str, text: str) -> str:
    """``text`` up to the line that leaves its block. The code after that belongs to another block, and the user decides
    where to write it."""
    end = leaves_block(line, text)
    return text if end is None else text[: text.rfind("\n", 0, end)]


def _indent(line: str) -> str:
    """The indentation of a line. Two indentations are comparable only if one is a prefix of the other; tabs and spaces
    are not."""
    return line[: len(line) - len(line.lstrip(" \t"))]
