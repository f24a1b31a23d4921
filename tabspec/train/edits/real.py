"""Scenes of real hunks: some of those between two releases of a file are made, the others remain."""

from __future__ import annotations

from random import Random

from tabspec.train.edits.moment import HALF_TYPED, EditMoment, as_past
from tabspec.train.edits.order import order_of
from tabspec.train.edits.pack import Releases

ENDED_SHARE = 0.12  # of moments: all hunks are made
UNTOUCHED_SHARE = 0.1  # of moments: only other files were changed so far
OTHERS = (0, 0, 0, 1, 1, 2, 3)  # past edits of other files; one of these counts


def real_moment(releases: Releases, index: int, rng: Random) -> EditMoment | None:
    """A moment between the two releases of document ``index``. None if nothing was done before it."""
    lines, hunks = releases.document(index)
    if not hunks:
        return None
    moment = EditMoment(releases.corpus[index].name, lines, [], order_of(lines, hunks, rng))
    others = releases.same_release(index)
    for _ in range(rng.choice(OTHERS) if others else 0):
        other = rng.choice(others)
        text, changes = releases.document(other)
        if changes:
            moment.history.append(as_past(text, rng.choice(changes), releases.corpus[other].name))
    place = rng.random()
    if place < ENDED_SHARE:
        made = len(hunks)
    elif place < ENDED_SHARE + UNTOUCHED_SHARE and moment.history:
        made = 0
    else:
        made = rng.randint(1, max(len(hunks) - 1, 1))
    for _ in range(made - 1):
        moment.make(moment.due[0])
    if made and not (rng.random() < HALF_TYPED and moment.make_half(moment.due[0], rng)):
        moment.make(moment.due[0])
    return moment if moment.history and moment.lines else None
