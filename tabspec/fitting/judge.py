"""Chooses the candidate that fits its place best: it adds no syntax error, does not change the meaning of the text
after the cursor, and repeats nothing. A parser judges this if the language has one; otherwise a lexer and brackets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tabspec.fitting.brackets import missing_closers, unmatched
from tabspec.fitting.candidates import Candidate
from tabspec.syntax.tree import Opaque, SyntaxTree
from tabspec.syntax.trees import PartTree
from tabspec.text import Edit

# A name that is inserted at the cursor to parse a line that is not finished.
_NAME = "x"


class _Score(NamedTuple):
    """How badly a candidate fits: the first of these that differs decides, and less is better."""

    surely: bool  # it repeats more than is ever meant to stand twice
    errors: int
    changed: int  # characters after it that mean something else now
    repeats: bool
    unfinished: bool  # it leaves brackets open
    order: int  # fewer characters replaced after the cursor; more of them, where the text ends with these
    length: int  # negative: longer is better


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a text. ``end`` is where the cursor's line ends."""

    text: str
    offset: int
    end: int


class Reader(Protocol):
    """Reads the document as it would be with an edit at the cursor."""

    code: bool
    """Whether a parser reads the cursor's place. If not, only brackets are counted, and no text is cut because of
    them."""

    def errors(self, edit: Edit) -> int:
        """The number of errors near the cursor after ``edit``."""
        ...

    def kinds(self, edit: Edit, start: int, end: int) -> list[str]:
        """The kinds of the characters from ``start`` to ``end`` after ``edit``; offsets are of the edited text."""
        ...


def choose(place: Place, reader: Reader, found: Sequence[Candidate]) -> tuple[Candidate, bool]:
    """The candidate that fits best, and whether it fits (it adds no syntax error and changes nothing after the cursor).

    A candidate that is cut short is only chosen if no other candidate fits. Candidates are compared by, in this order:
    a long repetition, errors, changes after the cursor, repetition, unclosed brackets, and length (longer is better).
    """
    reference = Edit(place.offset, 0, "")
    base = reader.errors(reference)
    named = Edit(place.offset, 0, _NAME)
    if base and (errors := reader.errors(named)) < base:
        reference, base = named, errors
    meant = reader.kinds(reference, reference.end, place.end + len(reference.insert))

    rest = place.text[place.offset : place.end]
    # With a syntax error, the text after the cursor has no valid meaning to keep. If the model wrote all of it again,
    # what it wrote decides the meaning: `* 2;` alone is a declaration in C, and in `return a * 2;` a product.
    again = any(map(str.isalnum, rest)) and found[0].text.rstrip().endswith(rest.strip())
    broken = base > 0 or again or any(each.surely for each in found)

    def scored(candidate: Candidate, errors: int, changed: int, unfinished: bool) -> _Score:
        if not candidate.replaced:
            order = 0
        else:
            order = -candidate.replaced if candidate.ends_alike(rest) else candidate.replaced
        changed = 0 if broken else changed
        return _Score(candidate.surely, errors, changed, candidate.repeats, unfinished, order, -len(candidate.text))

    def best(of: Iterable[Candidate]) -> tuple[_Score, Candidate] | None:
        """The first of the candidates with the least score. Those that could not have a lesser one are not read."""
        found: tuple[_Score, Candidate] | None = None
        for candidate in sorted(of, key=lambda each: scored(each, 0, 0, False)):
            if found and found[0] <= scored(candidate, 0, 0, False):
                break
            score = scored(candidate, *_read(place, reader, candidate, meant))
            found = found if found and found[0] <= score else (score, candidate)
        return found

    def fits(score: _Score) -> bool:
        return score.errors <= base and not score.changed

    whole = best(each for each in found if not each.cut)
    assert whole is not None  # the text as it is is a candidate
    if not reader.code or fits(whole[0]):
        return whole[1], True
    cut = best(each for each in found if each.cut)
    # Beside a syntax error the count of errors says little: there, a text is not cut within its brackets.
    if cut and fits(cut[0]) and not (base and cut[0].unfinished):
        return cut[1], True
    return whole[1], False


def _read(place: Place, reader: Reader, candidate: Candidate, meant: list[str]) -> tuple[int, int, bool]:
    """The errors with a candidate, how many characters after it change their kind, and whether it leaves brackets open.
    The user may close those next, so the candidate is also read with closers appended. The better reading counts."""
    readings = []
    for tail in dict.fromkeys(("", missing_closers(candidate.text))):
        edit = Edit(place.offset, candidate.replaced, candidate.text + tail)
        stop = place.end + len(edit.insert) - candidate.replaced
        kinds = reader.kinds(edit, edit.end, stop)
        changed = sum(now != then for now, then in zip(kinds, meant[candidate.replaced :], strict=True))
        readings.append((reader.errors(edit), changed, bool(tail)))
        if readings == [(0, 0, False)]:
            break  # no reading is better
    return min(readings)


class TreeReader:
    """Reads with a syntax tree. Inside a string, a comment or prose, brackets are counted, too."""

    def __init__(self, part: PartTree, offset: int) -> None:
        self._tree, self._start = part
        self._trees: dict[str, SyntaxTree] = {self._tree.text: self._tree}  # by text: several edits lead to the same
        self.code = self._tree.opaque(offset - self._start) is None

    def errors(self, edit: Edit) -> int:
        tree, at = self._edited(edit), edit.offset - self._start
        inside = tree.opaque(at)
        return tree.errors + (_loose(_line_of(tree.text, at, at + len(edit.insert), inside)) if inside else 0)

    def kinds(self, edit: Edit, start: int, end: int) -> list[str]:
        return self._edited(edit).kinds(start - self._start, end - self._start)

    def _edited(self, edit: Edit) -> SyntaxTree:
        edit = Edit(edit.offset - self._start, edit.delete, edit.insert)
        text = edit.apply(self._tree.text)
        if text not in self._trees:
            self._trees[text] = self._tree.edited(edit)
        return self._trees[text]


class LexerReader:
    """Reads the lines around the cursor with a Pygments lexer, or by brackets alone if there is no lexer."""

    code = False
    # Lines to read before and after the cursor's. Constructs that a suggestion closes usually begin within them.
    NEAR = 40

    def __init__(self, text: str, offset: int, lexer: object | None) -> None:
        self._start = _lines_back(text, offset, self.NEAR)
        self._text, self._lexer = text, lexer
        self._stop = _lines_on(text, offset, self.NEAR)
        self._read: dict[Edit, list[str]] = {}

    def errors(self, edit: Edit) -> int:
        kinds = self._kinds(edit)
        text = self._near(edit)
        code = "".join(char if kind in (char, "none") else " " for char, kind in zip(text, kinds, strict=True))
        return _loose(code) + _loose("".join(c for c, kind in zip(text, kinds, strict=True) if kind == "opaque"))

    def kinds(self, edit: Edit, start: int, end: int) -> list[str]:
        return self._kinds(edit)[start - self._start : end - self._start]

    def _near(self, edit: Edit) -> str:
        text = edit.apply(self._text)
        return text[self._start : self._stop + len(edit.insert) - edit.delete]

    def _kinds(self, edit: Edit) -> list[str]:
        if edit not in self._read:
            self._read[edit] = _lexed(self._lexer, self._near(edit))
        return self._read[edit]


def _lexed(lexer: object | None, text: str) -> list[str]:
    if lexer is None:
        return ["blank" if c.isspace() else "word" if c.isalnum() or c == "_" else c for c in text]
    from pygments.token import Comment, String

    kinds: list[str] = []
    for _, token, value in lexer.get_tokens_unprocessed(text):  # type: ignore[attr-defined]
        opaque = token in Comment or token in String
        for char in value:
            if char.isspace():
                kinds.append("blank")
            elif opaque:
                kinds.append("quote" if len(value) == 1 and char in "\"'`" else "opaque")
            else:
                kinds.append("word" if char.isalnum() or char == "_" else char)
    return (kinds + ["blank"] * len(text))[: len(text)]


def _loose(text: str) -> int:
    """How many brackets of ``text`` have no partner."""
    closers, openers = unmatched(text)
    return len(closers) + len(openers)


def _line_of(text: str, start: int, end: int, inside: Opaque) -> str:
    """The part of a string or comment that stands on the lines from ``start`` to ``end``."""
    start = max(text.rfind("\n", 0, start) + 1, inside.start)
    end = text.find("\n", end)
    return text[start : min(inside.end, len(text) if end < 0 else end)]


def _lines_back(text: str, offset: int, count: int) -> int:
    for _ in range(count + 1):
        offset = text.rfind("\n", 0, max(offset, 0))
        if offset < 0:
            return 0
    return offset + 1


def _lines_on(text: str, offset: int, count: int) -> int:
    for _ in range(count + 1):
        offset = text.find("\n", offset) + 1
        if offset == 0:
            return len(text)
    return offset - 1
