"""How long suggestions stay on the screen: until Tab, or until something else is typed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import fmean as mean
from typing import NamedTuple

# Before anything was seen, from a typist in a burst to somebody who reads; and what suggestions that were typed over
# usage_of in the development sessions, at their 10th, 50th, 75th and 90th percentile. Seconds.
TAKEN = (0.12, 0.25, 0.5, 1.0)
REFUSED = (0.1, 0.2, 0.5, 2.1)

# Moments after a suggestion is shown, in seconds, at which asking ahead may begin: at once, and then in steps of a
# quarter. Nearly all that is refused is gone by the last of them.
STARTS = (0.0, *(0.02 * 1.25**step for step in range(22)))

# No pause is met twice: each counts for one that is quicker and one that is slower by two fifths as well.
SPREAD = (1 / 1.4, 1.0, 1.4)


class Pauses:
    """The latest pauses of one kind, in seconds: 16 of them, so that a change of habits is followed within minutes."""

    def __init__(self, before: Iterable[float]) -> None:
        self.seconds = deque(before, maxlen=16)
        self.seen = 0

    def add(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.seen += 1


class WorkForecast(NamedTuple):
    """What work that begins at one of `STARTS` is expected to do, in seconds."""

    saved: float  # of waiting, if the suggestion is taken
    saved_next: (
        float  # of waiting after a second Tab, if what comes next is taken as well: work for it begins behind this
    )
    wasted_if_taken: float  # in vain, if the suggestion is taken, but what follows is another future than this
    wasted_if_refused: float  # in vain, if the suggestion is refused


class UserPace:
    """One user's pauses, and what they say about asking ahead at one moment or another.

    Tabs in a row are quicker than the first one, which a person reads for: the two are kept apart.
    """

    def __init__(self) -> None:
        self._taken = {False: Pauses(TAKEN), True: Pauses(TAKEN)}
        self._refused = Pauses(REFUSED)
        self._tables: dict[tuple[bool, bool], tuple[tuple[int, int, int, float], list[WorkForecast]]] = {}

    def taken(self, seconds: float, follows_accept: bool) -> None:
        """A suggestion was accepted so long after it was shown; ``follows_accept``: it had come by an accept itself."""
        self._taken[follows_accept].add(seconds)

    def refused(self, seconds: float) -> None:
        """A suggestion was typed over so long after it was shown."""
        self._refused.add(seconds)

    def table(self, service: float, follows_accept: bool, deeper: bool) -> list[WorkForecast]:
        """For each of `STARTS`, what work of ``service`` seconds saves that begins so long after a suggestion is shown,
        and how much of it is in vain.

        The work is what follows the suggestion, or, ``deeper``, what follows another Tab: only what would be missing
        there, had the work begun with the first Tab, is saved.
        """
        taken, again, refused = self._taken[follows_accept], self._taken[True], self._refused
        state = (taken.seen, again.seen, refused.seen, service)
        found = self._tables.get((follows_accept, deeper))
        if found is None or found[0] != state:
            forecast = self._second if deeper else self._first
            table = [forecast(start, service, follows_accept) for start in STARTS]
            found = self._tables[follows_accept, deeper] = state, table
        return found[1]

    def _first(self, start: float, service: float, follows_accept: bool) -> WorkForecast:
        """Of work for what follows the suggestion: it is used, or wasted, as far as it has come when the pause ends."""
        pauses = [seconds * factor for seconds in self._taken[follows_accept].seconds for factor in SPREAD]
        saved = mean(done(pause, start, service) for pause in pauses)
        next_one = self._saved_by_second(start + service, service, follows_accept)
        return WorkForecast(saved, next_one, saved, self._wasted_if_refused(start, service))

    def _second(self, start: float, service: float, follows_accept: bool) -> WorkForecast:
        """Of work for what follows a second Tab. A second suggestion that is refused stays long enough for all of the
        work to be done."""
        pauses = [seconds * factor for seconds in self._taken[follows_accept].seconds for factor in SPREAD]
        wasted = service * mean(pause > start for pause in pauses)
        saved = self._saved_by_second(start, service, follows_accept)
        return WorkForecast(saved, 0.0, wasted, self._wasted_if_refused(start, service))

    def _wasted_if_refused(self, start: float, service: float) -> float:
        return mean(done(seconds, start, service) for seconds in self._refused.seconds)

    def _saved_by_second(self, start: float, service: float, follows_accept: bool) -> float:
        """What is saved after a second Tab by work that begins at ``start`` and not with the first."""
        first, second = self._taken[follows_accept].seconds, self._taken[True].seconds
        if min(second) > SPREAD[-1] * service:
            return 0.0
        return mean(done_before(start, pause, again, service) for pause in first for again in second)


def done(pause: float, start: float, service: float) -> float:
    """What is done of work of ``service`` seconds, begun at ``start``, when a pause of this length ends."""
    return min(max(pause - start, 0.0), service)


def done_before(start: float, pause: float, again: float, service: float) -> float:
    """What more of it is done at the end of two pauses than if it had begun at the end of the first."""
    return done(pause + again, start, service) - done(again, 0.0, service) if pause > start else 0.0
