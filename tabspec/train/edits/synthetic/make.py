"""Makes moments between repeated edits: some places are done, the others remain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tabspec.prompt.edit_format import PastLines
from tabspec.text import common_prefix
from tabspec.train.edits.hunks import MOST_LINES, LineHunk, applied
from tabspec.train.edits.moment import HALF_TYPED, EditMoment, as_past
from tabspec.train.edits.synthetic import calls, introduced, lines, names, rules
from tabspec.train.edits.synthetic.region import Changes, Region

_Kind = Callable[[Region, Random], Changes | None]

# Renames and runs of words are most of what repeats in release diffs.
KINDS: tuple[tuple[_Kind, float], ...] = (
    (names.rename, 0.21),
    (calls.replace_run, 0.14),
    (calls.change_arguments, 0.12),
    (rules.rewrite, 0.11),
    (introduced.remove_name, 0.10),
    (lines.insert_line, 0.08),
    (calls.wrap, 0.06),
    (names.hop, 0.04),
    (names.text_of_strings, 0.04),
    (lines.delete_line, 0.03),
    (lines.repeat_line, 0.03),
    (names.qualify, 0.02),
    (names.annotate, 0.03),
    (lines.toggle_comment, 0.01),
    (introduced.comment_lines, 0.01),
)
TWICE_SHARE = 0.15  # of edits change the same lines in two ways
TYPED_SHARE = 0.10  # of moments: a real piece of the file is being typed
REVERSED_SHARE = 0.45  # the edit leads to the real text
OTHER_SHARE = 0.3  # another edit of the region was made before
MOST_PLACES = 24  # of an edit; more are mostly matters of format
DONE = ((1, 0.55), (2, 0.3), (3, 0.1), (4, 0.05))  # how many places are done, and how often; one at least remains
ENDED_SHARE = 0.1  # of moments: all places are done
ELSEWHERE_SHARE = 0.1  # the first place is in another file
_TRIES = 8


def synthetic_moment(region: Region, others: Sequence[PastLines], rng: Random) -> EditMoment | None:
    """A moment in a region. ``others``: past edits of other files. None if nothing in the region repeats."""
    before = _noise(others, rng)
    if rng.random() < TYPED_SHARE:
        return _typed(region, before, rng)
    if rng.random() < OTHER_SHARE:
        region = _changed_before(region, before, rng)
    hunks = _some_edit(region, rng)
    if hunks is None:
        return None
    text = list(region.lines)
    if rng.random() < REVERSED_SHARE:
        text, hunks = reverse(text, hunks)
    moment = EditMoment(region.name, text, before, _ordered(hunks, rng))
    (done,) = rng.choices([count for count, _ in DONE], [share for _, share in DONE])
    done = len(hunks) if rng.random() < ENDED_SHARE else min(done, len(hunks) - 1)
    if len(moment.due) > 2 and rng.random() < ELSEWHERE_SHARE:
        _first_elsewhere(moment, rng)
        done -= 1
    for _ in range(done - 1):
        moment.make(moment.due[0])
    if done > 0 and not (rng.random() < HALF_TYPED and moment.make_half(moment.due[0], rng)):
        moment.make(moment.due[0])
    return moment


def _noise(others: Sequence[PastLines], rng: Random) -> list[PastLines]:
    count = rng.choice((0, 0, 0, 1, 1, 2, 3))
    return rng.sample(list(others), min(count, len(others)))


def _some_edit(region: Region, rng: Random) -> list[LineHunk] | None:
    """The hunks of an edit that changes the region at two places or more."""
    for _ in range(_TRIES):
        (kind,) = rng.choices([k for k, _ in KINDS], [share for _, share in KINDS])
        changes = kind(region, rng)
        if changes and rng.random() < TWICE_SHARE:
            changes = _changed_twice(region, changes, rng)
        if changes:
            hunks = as_hunks(region.lines, changes, joined=rng.random() < 0.5)
            if 2 <= len(hunks) <= MOST_PLACES:
                return hunks
    return None


def _changed_twice(region: Region, changes: Changes, rng: Random) -> Changes:
    """The changed lines with another change, if it is of some of them, too. Lines that come or go stay as they are."""
    single = {number: new[0] for number, new in changes.items() if len(new) == 1}
    lines = [single.get(number, line) for number, line in enumerate(region.lines)]
    (kind,) = rng.choices([k for k, _ in KINDS], [share for _, share in KINDS])
    more = kind(Region(region.name, region.language, lines), rng) or {}
    both = {number: new for number, new in more.items() if number in single and len(new) == 1}
    return {**changes, **both} if len(both) >= 2 else changes


def as_hunks(old: Sequence[str], changes: Changes, joined: bool) -> list[LineHunk]:
    """The changes as hunks, from top to bottom. ``joined``: those of adjacent lines are one."""
    hunks: list[LineHunk] = []
    for number in sorted(changes):
        new = changes[number]
        if new == (old[number],):
            continue
        same = common_prefix(new, (old[number],))
        hunk = LineHunk(number + same, number + 1, new[same:])
        if not same and new[-1:] == (old[number],):
            hunk = LineHunk(number, number, new[:-1])
        last = hunks[-1] if hunks else None
        if joined and last and last.stop == hunk.start and len(last.new) + len(hunk.new) <= MOST_LINES:
            hunks[-1] = LineHunk(last.start, hunk.stop, last.new + hunk.new)
        else:
            hunks.append(hunk)
    return hunks


def reverse(old: Sequence[str], hunks: Sequence[LineHunk]) -> tuple[list[str], list[LineHunk]]:
    """The text after all hunks, and the hunks that lead back."""
    back: list[LineHunk] = []
    grown = 0
    for hunk in hunks:
        start = hunk.start + grown
        back.append(LineHunk(start, start + len(hunk.new), tuple(old[hunk.start : hunk.stop])))
        grown += hunk.growth
    return applied(old, hunks), back


def _ordered(hunks: list[LineHunk], rng: Random) -> list[LineHunk]:
    """From top to bottom, from some place on, or by nearness."""
    place = rng.random()
    if place < 0.5:
        return hunks
    first = rng.randrange(len(hunks))
    if place < 0.7:
        return hunks[first:] + hunks[:first]
    found, rest = [hunks[first]], hunks[:first] + hunks[first + 1 :]
    while rest:
        at = min(range(len(rest)), key=lambda n: abs(rest[n].start - found[-1].start))
        found.append(rest.pop(rng.randrange(len(rest)) if rng.random() < 0.15 else at))
    return found


def _first_elsewhere(moment: EditMoment, rng: Random) -> None:
    """The first due hunk was made in another file: here, its lines and those before them are left out."""
    first = min(moment.due, key=lambda hunk: (hunk.start, hunk.stop))
    stem, dot, suffix = moment.name.rpartition(".")
    other = f"{rng.choice(('test_', 'base_', '_', 'old_', ''))}{stem}{rng.choice(('s', '2', '_utils'))}{dot}{suffix}"
    moment.history.append(as_past(moment.lines, first, other))
    moment.due = [hunk.moved(-first.stop) for hunk in moment.due if hunk is not first]
    moment.lines = moment.lines[first.stop :]


def _changed_before(region: Region, history: list[PastLines], rng: Random) -> Region:
    """The region after an earlier edit, some places of which go to the history."""
    hunks = _some_edit(region, rng)
    if hunks is None:
        return region
    for hunk in hunks[: rng.randint(1, 3)]:
        history.append(as_past(region.lines, hunk))
    return Region(region.name, region.language, applied(region.lines, hunks))


def _typed(region: Region, history: list[PastLines], rng: Random) -> EditMoment | None:
    """One to six real lines are being typed."""
    filled = [number for number, line in enumerate(region.lines) if len(line.strip()) > 3]
    if len(filled) < 10:
        return None
    start = rng.choice(filled)
    stop = min(start + rng.choice((1, 1, 1, 2, 3, 4, 6)), len(region.lines))
    while stop > start + 1 and not region.lines[stop - 1].strip():
        stop -= 1
    text = [*region.lines[:start], *region.lines[stop:]]
    moment = EditMoment(region.name, text, history, [LineHunk(start, start, tuple(region.lines[start:stop]))])
    return moment if moment.make_half(moment.due[0], rng) else None
