"""How long suggestions stay on the screen, until Tab or until the user types something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import fmean as mean
from typing import NamedTuple

# Pauses in seconds that are assumed before any was observed. Until Tab: from a burst of typing to careful reading.
# Until typing over: the 10th, 50th, 75th and 90th percentile of the development sessions.
TAKEN = (0.12, 0.25, 0.5, 1.0)
REFUSED = (0.1, 0.2, 0.5, 2.1)

# Seconds after a suggestion is shown at which speculation may begin: 0, and from 0.02 on, each a quarter later than the
# one before. By the last of them nearly all suggestions that are refused are gone.
STARTS = (0.0, *(0.02 * 1.25**step for step in range(22)))

# Seconds that a late answer at the second Tab of a burst costs in addition to its lateness: the screen is empty for a
# moment, and the user stops to look. At 0.03, 372 of 376 Tabs in bursts are answered at once in six development
# sessions with a model of 150 ms. At 0.05 it is 375, for 6 % more unused tokens of a user who reads each suggestion
# (docs/decisions/2026-11-29-bursts.md).
LATE = 0.03

# Pauses vary: each observed one also counts as a quicker and a slower one, by a factor of 1.4.
SPREAD = (1 / 1.4, 1.0, 1.4)


class Pauses:
    """The last 16 pauses of one kind, in seconds: few enough to follow a change of habits within minutes."""

    def __init__(self, before: Iterable[float]) -> None:
        self.seconds = deque(before, maxlen=16)
        self.seen = 0

    def add(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.seen += 1


class WorkForecast(NamedTuple):
    """Expected outcome of work that begins at one of `STARTS`, in seconds."""

    saved: float  # waiting saved, if the suggestion is accepted
    saved_next: float  # the same at a second Tab, whose work begins when this work ends
    wasted_if_taken: float  # unused work, if the suggestion is accepted, but the work is for another state
    wasted_if_refused: float  # unused work, if the suggestion is refused


class UserPace:
    """One user's pauses, and what follows from them for speculation that begins at a given moment.

    Pauses after an accept are kept apart: Tabs in a row are quicker than the first one.
    """

    def __init__(self) -> None:
        self._taken = {False: Pauses(TAKEN), True: Pauses(TAKEN)}
        self._refused = Pauses(REFUSED)
        self._tables: dict[tuple[bool, int], tuple[tuple[int, int, int, float], list[WorkForecast]]] = {}

    def taken(self, seconds: float, follows_accept: bool) -> None:
        """A suggestion was accepted ``seconds`` after it was shown; ``follows_accept``: it followed an accept."""
        self._taken[follows_accept].add(seconds)

    def refused(self, seconds: float) -> None:
        """A suggestion was typed over ``seconds`` after it was shown."""
        self._refused.add(seconds)

    def table(self, service: float, follows_accept: bool, depth: int) -> list[WorkForecast]:
        """For each of `STARTS`, what work of ``service`` seconds is expected to save and to waste.

        The work is for the state after ``depth`` accepts; accepting the shown suggestion is the first of them. Compare
        work at depth 2 with the same work begun at the first Tab: it saves the time by which that would be late at the
        second Tab. `LATE` is added if the answer is then in time, and would not be otherwise. At depth 3 there is the
        time of two Tabs before the answer is late, and so on.
        """
        taken, again, refused = self._taken[follows_accept], self._taken[True], self._refused
        state = (taken.seen, again.seen, refused.seen, service)
        found = self._tables.get((follows_accept, depth))
        if found is None or found[0] != state:
            table = [self._forecast(start, service, follows_accept, depth) for start in STARTS]
            found = self._tables[follows_accept, depth] = state, table
        return found[1]

    def _forecast(self, start: float, service: float, follows_accept: bool, depth: int) -> WorkForecast:
        """At depth 1, the part of the work that is done when the pause ends is used or wasted. Deeper work that is
        wasted is assumed to have been done completely."""
        pauses = [seconds * factor for seconds in self._taken[follows_accept].seconds for factor in SPREAD]
        refused = self._wasted_if_refused(start, service)
        if depth == 1:
            saved = mean(done(pause, start, service) for pause in pauses)
            return WorkForecast(saved, self._saved_later(start + service, service, follows_accept, 2), saved, refused)
        wasted = service * mean(pause > start for pause in pauses)
        return WorkForecast(self._saved_later(start, service, follows_accept, depth), 0.0, wasted, refused)

    def _wasted_if_refused(self, start: float, service: float) -> float:
        return mean(done(seconds, start, service) for seconds in self._refused.seconds)

    def _saved_later(self, start: float, service: float, follows_accept: bool, depth: int) -> float:
        """Waiting saved at Tab number ``depth`` by work that begins at ``start`` instead of at the first Tab, with
        `LATE`. The Tabs between are as quick as the last one."""
        first, again = self._taken[follows_accept].seconds, self._taken[True].seconds
        later = [seconds * (depth - 1) for seconds in again]
        if min(later) > SPREAD[-1] * service:
            return 0.0
        return mean(done_before(start, pause, seconds, service) for pause in first for seconds in later)


def done(pause: float, start: float, service: float) -> float:
    """How much of ``service`` seconds of work, begun at ``start``, is done when a pause of this length ends."""
    return min(max(pause - start, 0.0), service)


def done_before(start: float, pause: float, again: float, service: float) -> float:
    """How much more of it is done ``again`` seconds after the end of a pause than if it began at that end. `LATE` is
    added if all of it is done, and would not be otherwise."""
    if pause <= start or again >= service:
        return 0.0
    more = done(pause + again, start, service) - again
    return more + LATE if pause + again - start >= service else more
