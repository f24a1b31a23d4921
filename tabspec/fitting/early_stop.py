"""From where on a text is settled: whatever the model may still say behind it will be cut off before it is offered.

Models stop there (`StopRule.around`), and post-processing forgets what comes behind there before it does anything else
(`tabspec.fitting.truncation`): so what is offered is the same, whether a model has stopped or has gone on. It holds by
construction, since both ask `Around.cut_point`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabspec.fitting.repetition import find_loop, repeats_next_line
from tabspec.fitting.unseen import unseen


@dataclass(frozen=True, slots=True)
class Around:
    """What of a document decides what is cut off: the cursor's ``line`` up to it, and the next one ``below`` with
    something on it, without blanks around it ("": none is near). Line ends of a text are ``\\n``. ``repetition`` and
    ``indentation`` tell whether these cuts are made; what cannot be seen is cut off always."""

    line: str = ""
    below: str = ""
    repetition: bool = True
    indentation: bool = True

    def cut_point(self, text: str, since: int = 0) -> int | None:
        """Length of the shortest beginning of ``text`` that is settled; None if not even the whole is.

        That a beginning of ``since`` characters is not settled is known.
        """
        ends: list[int | None] = [unseen(text, since)]
        if self.repetition:
            found = find_loop(text, since)
            ends += [found and found[0], repeats_next_line(self.line, text, self.below, since)]
        if self.indentation:
            ends.append(leaves_block(self.line, text))
        return min((end for end in ends if end is not None), default=None)


def leaves_block(line: str, text: str) -> int | None:
    """Where ``text`` leaves the block that it was begun in: behind the first character of its first line that stands
    further out than the first one with something on it. None if it does not.

    ``line`` is the cursor's line up to it. A closing bracket may stand further out: it ends what was begun within.
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
    """``text`` up to the line that leaves its block: what comes there belongs to another one, whose place is the
    author's to choose."""
    end = leaves_block(line, text)
    return text if end is None else text[: text.rfind("\n", 0, end)]


def _indent(line: str) -> str:
    """The indentation of a line. Two of them compare where one begins with the other: not tabs and blanks."""
    return line[: len(line) - len(line.lstrip(" \t"))]
