"""Groups of comparable runs: the policies of one session, and of all sessions together."""

from __future__ import annotations

from dataclasses import dataclass

from tabspec.replay.report import words
from tabspec.replay.results.aggregates import pooled
from tabspec.replay.results.result import ReplayResult, Run


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that differ in their policy only. In the group of all sessions, each run is the sum of the sessions."""

    title: str
    subtitle: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()
    sessions: int = 1
    latency: str = ""  # name of the latency profile, if the result has several

    @property
    def synthetic(self) -> bool:
        return any(run.synthetic for run in self.runs)


def groups(result: ReplayResult) -> list[Group]:
    """A group for all sessions together, and then one for each session, in the order of the runs.

    Runs with another user, model, latency or clock are not comparable, so they get groups of their own.
    """
    together: dict[tuple[object, ...], list[Run]] = {}
    for run in result.runs:
        together.setdefault((run.session, *_played(run), run.seed), []).append(run)
    found = [_session(tuple(runs)) for runs in together.values()]
    alike: dict[tuple[object, ...], list[Group]] = {}
    for group in found:
        alike.setdefault(_played(group.runs[0]), []).append(group)
    return [*filter(None, (_overall(members) for members in alike.values() if len(members) > 1)), *found]


def leading(found: list[Group]) -> list[Group]:
    """The groups for the summary: all sessions together, once for each latency, or else the first session."""
    return [group for group in found if group.sessions > 1] or found[:1]


def _session(runs: tuple[Run, ...]) -> Group:
    first = runs[0]
    about = [first.language, first.model, _pace(first.latency), f"user {first.user}"]
    if first.user == "tab":
        about[-1] += f", {first.think_ms:g} ms"
    if first.synthetic:
        about.insert(0, "synthetic")
    notes = tuple(dict.fromkeys(note for run in runs for note in run.notes))
    title, subtitle = words.session_name(first.session), " · ".join(filter(None, about))
    return Group(title, subtitle, runs, notes, latency=first.latency)


def _overall(found: list[Group]) -> Group | None:
    """All sessions as one, for the policies that all sessions have; None if there is no such policy."""
    policies = [run.name for run in found[0].runs if all(run.name in _policies(group) for group in found)]
    pools = []
    for policy in dict.fromkeys(policies):
        pool = pooled([next(run for run in group.runs if run.name == policy) for group in found])
        if pool is None:
            return None
        pools.append(pool)
    if not pools:
        return None
    pace = found[0].latency
    length = words.span(pools[0].duration_s)
    subtitle = " · ".join(filter(None, (f"{len(found)} sessions, {length}", _pace(pace))))
    return Group("All sessions", subtitle, tuple(pools), sessions=len(found), latency=pace)


def _pace(latency: str) -> str:
    return latency and f"pace of the model: {latency}"


def _played(run: Run) -> tuple[object, ...]:
    """Model, latency, user and clock. Runs that differ in these are not comparable."""
    return run.model, run.latency, run.user, run.think_ms, run.think_jitter, run.burst, run.clock


def _policies(group: Group) -> set[str]:
    return {run.name for run in group.runs}
