"""The point of a text after which everything will be cut off before it is offered, whatever the model writes.

Models stop there (`StopRule.around`), and post-processing first drops what comes after it
(`tabspec.fitting.truncation`). So what is offered does not depend on whether the model has stopped. Both call
`Around.cut_point`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tabspec.fitting.repetition import find_loop, repeats_next_line
from tabspec.fitting.unseen import unseen
from tabspec.text import indent_of

# Grammars of the languages that end blocks with words; the words; and what follows where these are names.
WORD_ENDED = frozenset(["bash", "elixir", "julia", "lua", "matlab", "ruby"])
_BLOCK_ENDS = ("end", "fi", "done", "esac")
_BLOCK_END = re.compile(rf"(?:{'|'.join(_BLOCK_ENDS)})(?!\w)")
_NO_BLOCK_END = re.compile(r"[ \t]*[=(:\[]")


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
    word_ends: bool = False
    """Whether words like ``end`` end blocks in this language (`WORD_ENDED`)."""

    def cut_point(self, text: str, since: int = 0) -> int | None:
        """The length of the shortest prefix of ``text`` after which further text cannot change the suggestion. None if
        there is none.

        The caller knows that the first ``since`` characters have no cut point; they are not searched again.
        """
        ends: list[int | None] = [unseen(text, since)]
        if self.repetition:
            found = find_loop(text, since, self.line)
            ends += [found and found[0], repeats_next_line(self.line, text, self.below, since)]
        if self.indentation:
            ends.append(leaves_block(self.line, text, self.word_ends))
        return min((end for end in ends if end is not None), default=None)


def leaves_block(line: str, text: str, word_ends: bool = False) -> int | None:
    """Where ``text`` leaves the block in which it begins. That is after the first character of the first line with less
    indentation than its first line that is not blank. None if it does not leave the block.

    ``line`` is the cursor's line up to it. A closing bracket or tag, or with ``word_ends`` a word like ``end``, may
    stand further out: it ends what was begun within.
    """
    start = 0
    own: str | None = None
    for number, each in enumerate(text.split("\n")):
        if each.strip():
            indent = _first_indent(line, each) if number == 0 else indent_of(each)
            if own is None:
                own = indent
            elif own != indent and own.startswith(indent) and (decided := _ends_no_block(each.lstrip(), word_ends)):
                return start + len(indent) + decided
        start += len(each) + 1
    return None


def _ends_no_block(line: str, word_ends: bool) -> int:
    """How many characters of ``line`` it takes to see that it does not end what was begun within; 0 if it may."""
    if line[0] in ")]}" or line.startswith("</") or line == "<":
        return 0
    if line[0] == "<":
        return 2
    if not word_ends:
        return 1
    word = _BLOCK_END.match(line)
    if word is None:
        sizes = range(1, len(line) + 1)
        return next((n for n in sizes if not any(end.startswith(line[:n]) for end in _BLOCK_ENDS)), 0)
    other = _NO_BLOCK_END.match(line, word.end())
    return other.end() if other else 0


def end_with_block(line: str, text: str, word_ends: bool = False) -> str:
    """``text`` up to the line that leaves its block: what comes there belongs to another one, whose place is the
    author's to choose."""
    end = leaves_block(line, text, word_ends)
    return text if end is None else text[: text.rfind("\n", 0, end)]


def _first_indent(line: str, first: str) -> str:
    """The indentation of the cursor's line with ``first`` after ``line``. A model may write the indentation before the
    cursor again."""
    return line if line and not line.strip() and indent_of(first) == line else indent_of(line + first)
