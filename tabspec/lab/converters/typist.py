"""A simulated typist, who changes one text into another by plausible edits at plausible times.

It makes sessions from a repository's history. The order of hunks and the pauses are simulated, because commits do not
record them. Each committed text is reproduced exactly.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import takewhile

from tabspec.replay.sessions.session import EditEvent
from tabspec.text import Edit, difference

# Gaps in seconds, as (median, sigma of the logarithm): medians and quartiles measured in the recorded session
# vscode-ts-customized-tests (405, 155, 12 and 89 gaps under a minute).
_KEY = (0.090, 0.40)  # between two letters
_WORD = (0.135, 0.59)  # before or after any other character
_LINE = (0.349, 1.34)  # after a line end
_JUMP = (2.924, 1.31)  # to another place in the file
_LONGEST_GAP_S = 60.0  # longer gaps were left out of the measurement

_COMMIT_GAP_S = 60.0  # between two commits, so that every request ends before the next commit
_PASTED_LINES = 40  # more new lines than fit on a screen are pasted, like moved or generated code
_TYPO = 0.01  # probability of a wrong key, corrected at once
_OUT_OF_ORDER = 0.3  # probability that the first hunk is not the first to be typed
_REWRITTEN = 0.5  # lines with a lower similarity are deleted and typed anew
_COMPARED_LINES = 2500  # 50 old lines with 50 new ones take a few hundredths of a second to compare
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_LINE_END = re.compile(r"\r\n|\n|\r")
_KEYS = "etaoinsrhldcu"  # a typo is one of these frequent letters


@dataclass
class Typist:
    """Edits ``text`` from second ``t`` on. The same seed gives the same edits."""

    text: str
    seed: int = 0
    t: float = 0.0
    events: list[EditEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def pause(self) -> None:
        """Pause after a commit."""
        if self.events:
            self.t += _COMMIT_GAP_S

    def write(self, target: str) -> None:
        """Edit the text until it is ``target``, hunk by hunk."""
        hunks = list(_hunks(self.text, target))
        order = list(range(len(hunks)))
        if len(hunks) > 1 and self._random.random() < _OUT_OF_ORDER:
            first = self._random.randrange(1, len(hunks))
            order = order[first:] + order[:first]
        growth = [0] * len(hunks)  # of the hunks done, because the hunks have offsets in the original text
        for number in order:
            hunk = hunks[number]
            self._wait(_JUMP)
            self._hunk(Edit(hunk.offset + sum(growth[:number]), hunk.delete, hunk.insert))
            growth[number] = len(hunk.insert) - hunk.delete

    def _hunk(self, hunk: Edit) -> None:
        """Type one hunk: similar texts token by token; otherwise, delete the old text and type the new one."""
        old = self.text[hunk.offset : hunk.offset + hunk.delete]
        if hunk.insert.count("\n") > _PASTED_LINES:
            self._do(hunk)
            return
        if old:
            tokens, wanted = _TOKEN.findall(old), _TOKEN.findall(hunk.insert)
            matcher = SequenceMatcher(None, tokens, wanted, autojunk=False)
            if hunk.insert and matcher.ratio() >= _REWRITTEN:
                offset = hunk.offset
                for tag, i1, i2, j1, j2 in matcher.get_opcodes():
                    insert = "".join(wanted[j1:j2])
                    if tag != "equal":
                        self._replace(Edit(offset, len("".join(tokens[i1:i2])), insert))
                    offset += len(insert)
                return
        self._replace(hunk)

    def _replace(self, edit: Edit) -> None:
        if edit.delete:
            self._do(Edit(edit.offset, edit.delete, ""))  # the user selects the text and deletes it
            self._wait(_WORD)
        self._type(edit.offset, edit.insert)

    def _type(self, offset: int, text: str) -> None:
        """Type ``text`` at ``offset`` key by key. The editor adds the indentation after a line end."""
        at, done = offset, 0
        before = ""
        while done < len(text):
            end = _LINE_END.match(text, done)
            if end:
                done = end.end()
                at = self._line_end(at, end.group(), text[done:])
                done += len(_indent(text[done:]))
                before = "\n"
                continue
            char = text[done]
            if self._random.random() < _TYPO and char.isalpha() and self.events:
                self._wait(_KEY)
                self._do(Edit(at, 0, self._random.choice(_KEYS)))
                self._wait(_WORD)
                self._do(Edit(at, 1, ""))
            self._wait(_LINE if before == "\n" else _KEY if before.isalnum() and char.isalnum() else _WORD)
            self._do(Edit(at, 0, char))
            at, done, before = at + 1, done + 1, char

    def _line_end(self, at: int, end: str, following: str) -> int:
        """Press Enter at ``at``. Returns the offset of the next line's text.

        The editor indents the new line like the last line with text, and deeper after a colon or an opening bracket.
        Backspace or Tab corrects the indentation. Empty lines get none, because editors trim it.
        """
        given = wanted = ""
        if not _blank_line(following):
            line = self.text[:at].rstrip().rsplit("\n", 1)[-1]
            given, wanted = _indent(line), _indent(following)
            if line.endswith((":", "(", "[", "{")):
                given += "\t" if given.startswith("\t") else "    "
        self._wait(_WORD)
        self._do(Edit(at, 0, end + given))
        at += len(end)
        change = difference(given, wanted)
        if change is not None:
            self._wait(_KEY)
            self._do(Edit(at + change.offset, change.delete, change.insert))
        return at + len(wanted)

    def _do(self, edit: Edit) -> None:
        self.text = edit.apply(self.text)
        self.events.append(EditEvent(round(self.t, 3), (edit,), edit.end))

    def _wait(self, gap: tuple[float, float]) -> None:
        if self.events:
            median, sigma = gap
            self.t += min(median * self._random.lognormvariate(0.0, sigma), _LONGEST_GAP_S)


def _hunks(old: str, new: str) -> Iterator[Edit]:
    """The differences by lines: edits that do not overlap, in order, with offsets in ``old``."""
    before, after = _LINES.findall(old), _LINES.findall(new)
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    i, j = 0, 0
    for i2, j2 in [*_pairs(before, after), (len(before), len(after))]:
        if (i, j) != (i2, j2):  # lines between two pairs are deleted, inserted or both
            edit = Edit(starts[i], starts[i2] - starts[i], "".join(after[j:j2]))
            end = _common_end(before[i - 1], after[j - 1]) if i and j else ""
            if end and not edit.delete and edit.insert.endswith(end):
                # New lines are typed by Enter at the end of the previous line, not at the start of the next one.
                edit = Edit(edit.offset - len(end), 0, end + edit.insert[: -len(end)])
            yield edit
        if i2 < len(before) and before[i2] != after[j2]:  # a line changed in place; its line end stays
            keep = len(_common_end(before[i2], after[j2]))
            yield Edit(starts[i2], len(before[i2]) - keep, after[j2][: len(after[j2]) - keep])
        i, j = i2 + 1, j2 + 1


def _common_end(old: str, new: str) -> str:
    """The line end of both lines. "" if they have different ones."""
    ends = [match.group() if (match := _LINE_END.search(line)) else "" for line in (old, new)]
    return ends[0] if ends[0] == ends[1] else ""


def _pairs(before: list[str], after: list[str]) -> Iterator[tuple[int, int]]:
    """Pairs of lines, in order, that are equal or similar in both texts."""
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(range(i1, i2), range(j1, j2), strict=True)
        elif tag == "replace" and (i2 - i1) * (j2 - j1) <= _COMPARED_LINES:
            j = j1
            for i in range(i1, i2):
                alike = next((k for k in range(j, j2) if _alike(before[i], after[k])), None)
                if alike is not None:
                    yield i, alike
                    j = alike + 1


def _alike(old: str, new: str) -> bool:
    matcher = SequenceMatcher(None, _TOKEN.findall(old), _TOKEN.findall(new), autojunk=False)
    return bool(old.strip() and new.strip()) and matcher.ratio() >= _REWRITTEN


def _indent(text: str) -> str:
    return "".join(takewhile(lambda char: char in " \t", text))


def _blank_line(text: str) -> bool:
    """Whether the first line of ``text`` is empty. White space counts as text."""
    return not text or text[0] in "\r\n"
