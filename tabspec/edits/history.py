"""The edit history: the last steps that were made, oldest first, over all documents.

A *step* is what was typed on one line without a pause or a jump. Changes with the same time stamp count as one change
(a `Moment`), so it does not matter how an editor splits them into messages. Steps that the user undoes are removed. If
a document's text is not what its steps led to, its steps are dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from tabspec.edits.edit import EditSource, digest_of
from tabspec.edits.hunks import LONG, last_touched, merged, swapped, touch
from tabspec.edits.moment import Moment
from tabspec.edits.step import Step
from tabspec.text import Document, Edit, apply_edits, is_word

# Between a letter and the next a practised typist takes 0.1 s, and to another place in the file 2.9 s (medians of the
# recorded session vscode-ts-customized-tests): a pause lies in between.
PAUSE_S = 2.0
# Half an hour of recorded editing has about so many steps; patterns are learned from the last few. Accepted next edits
# do not count: they would push out what they follow from.
MOST_STEPS = 64
# A chain has at most 200 places (tabspec.edits.proposals.renames.leftovers).
MOST_IN_ALL = MOST_STEPS + 200
# A step is mostly one line of 40 characters, before and after. The rest is room for a deleted function.
MOST_CHARS = 32_768


# Characters that are typed at one go: longer identifiers are rare.
_LONGEST_WORD = 64


@dataclass(frozen=True, slots=True)
class _GrowingStep:
    """The last step, while it can grow: when and where its last change ended, and on which line."""

    time: float
    line: int
    offset: int


@dataclass(frozen=True, eq=False)
class History:
    """An immutable edit history; `EMPTY` is the first. Two with equal `steps` are equal.

    ``texts`` are the documents' texts as the history knows them.
    """

    settled: tuple[Step, ...] = ()
    moment: Moment | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    growing: _GrowingStep | None = None

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Its steps, the oldest first."""
        return self._now.settled

    @cached_property
    def digest(self) -> int:
        """128-bit digest of the steps; 0 where there are none."""
        return digest_of(*(step.digest for step in self.steps)) if self.steps else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.steps == other.steps

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def undone(self) -> tuple[Step, ...]:
        """The accepted steps that the last changes have undone, where they stand now."""
        if self.moment is None:
            return ()
        found, _ = self._found
        if found[: len(self.settled)] == self.settled:
            return ()
        left = Counter(map(_content, found))
        gone = Counter(map(_content, self.settled)) - left
        undone = [(at, step) for at, step in enumerate(self.settled) if step.accepted and gone[_content(step)]]
        return tuple(_moved_on(step, self.settled[at + 1 :], self.moment) for at, step in undone)

    @property
    def time(self) -> float:
        """When the last change was made; 0 where that is not known."""
        return self.moment.time if self.moment else self.growing.time if self.growing else 0.0

    def typing_at(self, document: Document, offset: int) -> bool:
        """Whether the last step is being typed at ``offset``, and may not be finished."""
        growing = self._now.growing
        last = self.steps[-1] if self.steps else None
        if growing is None or last is None or last.uri != document.uri or growing.offset > offset:
            return False
        return offset - growing.offset <= _LONGEST_WORD and all(map(is_word, document.text[growing.offset : offset]))

    def of(self, uri: str) -> tuple[Step, ...]:
        """The steps of one document."""
        return tuple(step for step in self.steps if step.uri == uri)

    def changed(
        self,
        before: Document,
        edits: Sequence[Edit],
        after: Document,
        time: float,
        accepted: bool = False,
        source: EditSource | None = None,
    ) -> History:
        """The history after ``edits``, applied one after another to ``before``, have led to ``after``.

        ``time`` is in seconds of any clock that does not run backwards. ``accepted``: the user took a suggestion;
        ``source``: what proposed it, if it was a next edit.
        """
        if not edits:
            return self
        history = self.opened(before)
        now = history.moment
        if now is None or accepted or now.accepted or now.time != time or now.after.uri != before.uri:
            history = history._now
            now = Moment(before, before, (), time, accepted, source=source)
        moment = now.then(edits, after)
        return replace(history, moment=moment, texts={**history.texts, after.uri: after.text})

    def opened(self, document: Document) -> History:
        """The history with this text known; the steps of the document go if they led to another text."""
        known = self.texts.get(document.uri)
        return self if known is None or known == document.text else self.without(lambda uri: uri == document.uri)

    def without(self, ignored: Callable[[str], bool]) -> History:
        """The history without the documents that are ``ignored``."""
        now = self._now
        steps = tuple(step for step in now.settled if not ignored(step.uri))
        texts = {uri: text for uri, text in now.texts.items() if not ignored(uri)}
        return History(steps, None, texts, now.growing if steps[-1:] == now.settled[-1:] else None)

    @cached_property
    def _found(self) -> tuple[tuple[Step, ...], _GrowingStep | None]:
        """All steps once the moment is over, and whether the last of them can still grow."""
        return _settle(self.settled, self.growing, self.moment) if self.moment else (self.settled, self.growing)

    @cached_property
    def _now(self) -> History:
        """The history with the moment's steps among the settled ones."""
        if self.moment is None:
            return self
        found, growing = self._found
        steps = _bounded(found)
        uris = {step.uri for step in steps} | {self.moment.after.uri}
        texts = {uri: text for uri, text in self.texts.items() if uri in uris}
        return History(steps, None, texts, growing if steps[-1:] == found[-1:] else None)


EMPTY = History()


def _settle(
    settled: tuple[Step, ...], growing: _GrowingStep | None, moment: Moment
) -> tuple[tuple[Step, ...], _GrowingStep | None]:
    """The steps once the moment is over, and whether the last of them can still grow."""
    steps = moment.steps()
    if not steps:
        return settled, growing
    if (undone := _returned(settled, moment)) is not None:
        return undone, None
    if growing and len(steps) == 1 and _continues(growing, settled[-1], moment, steps[0]):
        whole = merged(settled[-1], steps[0])
        settled, steps = settled[:-1], [whole] if whole else []
    for step in steps:
        left = _taken_back(settled, step)
        settled = (*settled, step) if left is None else left
    grows = len(steps) == 1 and settled[-1:] == (steps[0],) and steps[0].typed and not moment.accepted
    return settled, _open_after(moment) if grows else None


def _continues(growing: _GrowingStep, last: Step, moment: Moment, step: Step) -> bool:
    """Whether the moment goes on with the last step: on its line, with no pause but one within a word."""
    if step.uri != last.uri or not step.typed or step.accepted:
        return False
    if not (touch(last, step) or step.offset in (last.offset, last.offset + len(last.new))):
        return False
    first = moment.ranges[0]
    if moment.before.position(first.start).line != growing.line:
        return False
    if moment.time - growing.time <= PAUSE_S:
        return True
    text = moment.after.text
    joined = text[first.new_start - 1 : first.new_start], text[first.new_start : first.new_start + 1]
    return first.start == growing.offset and first.start > 0 and all(map(is_word, joined))


def _returned(settled: tuple[Step, ...], moment: Moment) -> tuple[Step, ...] | None:
    """The steps that are left where the moment has led back to a state between the steps; None where it has not.

    Texts are compared, because a difference can be described in several ways: the line end that comes back may be the
    one before or after an empty line. A text is built only where its length is right.
    """
    text, length, others, passed = moment.before.text, len(moment.before.text), list[Step](), list[Step]()
    for at in range(len(settled) - 1, -1, -1):
        step = settled[at]
        if step.uri != moment.after.uri:
            others.append(step)
            continue
        passed.append(step)
        length += len(step.old) - len(step.new)
        if length == len(moment.after.text):
            text, passed = apply_edits(text, [each.inverse for each in passed]), []
            if text == moment.after.text:
                return (*settled[:at], *reversed(others))
    return None


def takes_back(steps: tuple[Step, ...], step: Step) -> bool:
    """Whether ``step``, made after ``steps``, undoes some of them."""
    return _taken_back(steps, step) is not None


def _content(step: Step) -> tuple[str, str, str]:
    """What a step does, wherever it is by now."""
    return step.uri, step.old, step.new


def _moved_on(step: Step, later: Iterable[Step], moment: Moment) -> Step:
    """``step`` where its lines stand after ``later`` steps and after the moment that has undone it."""
    offset = step.offset
    for other in later:
        if other.uri == step.uri and other.offset + len(other.old) <= offset:
            offset += len(other.new) - len(other.old)
    if moment.after.uri == step.uri:
        before = [hunk for hunk in moment.ranges if hunk.start < offset and hunk.stop <= offset]
        offset += before[-1].new_stop - before[-1].stop if before else 0
        offset = min(offset, len(moment.after.text))
        step = replace(step, line=moment.after.position(offset).line)
    return replace(step, offset=offset)


def _open_after(moment: Moment) -> _GrowingStep | None:
    """Where the next change has to be in order to grow the step that ends with this moment. None after a line end."""
    hunks = moment.ranges
    if len(hunks) != 1:
        return None
    (hunk,) = hunks
    parts = moment.before.text[hunk.start : hunk.stop], moment.after.text[hunk.new_start : hunk.new_stop]
    if any("\n" in part or "\r" in part for part in parts):
        return None
    return _GrowingStep(moment.time, moment.after.position(hunk.new_stop).line, hunk.new_stop)


def _taken_back(settled: tuple[Step, ...], step: Step) -> tuple[Step, ...] | None:
    """The steps without those that ``step`` undoes, and without itself; None if it undoes nothing.

    From the last step backwards: what touches it becomes one with it, what does not changes places with it. It is an
    undo as soon as nothing is left of it.
    """
    if step.chars > LONG or last_touched(settled, step) is None:
        return None
    later: list[Step] = []
    for at in range(len(settled) - 1, -1, -1):
        earlier = settled[at]
        if earlier.uri != step.uri:
            later.append(earlier)
        elif touch(earlier, step):
            whole = merged(earlier, step)
            if whole is None:
                return (*settled[:at], *reversed(later))
            step = whole
        else:
            step, moved = swapped(earlier, step)
            later.append(moved)
    return None


def _bounded(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The last steps, as many as may be kept; a document with a step that is too long by itself begins anew."""
    long = {step.uri for step in steps if step.chars > MOST_CHARS}
    steps = tuple(step for step in steps if step.uri not in long)[-MOST_IN_ALL:]
    own = [at for at, step in enumerate(steps) if step.source is None]
    first = own[-MOST_STEPS] if len(own) > MOST_STEPS else 0
    total = sum(step.chars for step in steps[first:])
    while total > MOST_CHARS:
        total -= steps[first].chars
        first += 1
    return steps[first:]
