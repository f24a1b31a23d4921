"""Runs put side by side: the policies of one session, and of all sessions together."""

from __future__ import annotations

from dataclasses import dataclass

from tabspec.replay.report import words
from tabspec.replay.result import ReplayResult, Run, pooled


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that differ in their policy only (and, under "all sessions", the pools of such runs)."""

    title: str
    subtitle: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()
    sessions: int = 1

    @property
    def synthetic(self) -> bool:
        return any(run.synthetic for run in self.runs)


def groups(result: ReplayResult) -> list[Group]:
    """One group a session, in the order of the runs; before them, if there are several, all of them together.

    Sessions replayed with another user, model, pace or clock are not comparable and get groups of their own.
    """
    together: dict[tuple[object, ...], list[Run]] = {}
    for run in result.runs:
        together.setdefault((run.session, *_played(run), run.seed), []).append(run)
    found = [_session(tuple(runs)) for runs in together.values()]
    if len(found) > 1 and (overall := _overall(found)):
        return [overall, *found]
    return found


def _session(runs: tuple[Run, ...]) -> Group:
    first = runs[0]
    about = [first.language, first.model, f"user {first.user}"]
    if first.user == "tab":
        about[-1] += f", {first.think_ms:g} ms"
    if first.synthetic:
        about.insert(0, "synthetic")
    notes = tuple(dict.fromkeys(note for run in runs for note in run.notes))
    return Group(words.session_name(first.session), " · ".join(filter(None, about)), runs, notes)


def _overall(found: list[Group]) -> Group | None:
    """All sessions as one, for the policies that every session was replayed with; None if there are none.

    Sessions replayed with different models or users do not add up to anything.
    """
    if len({_played(run) for group in found for run in group.runs}) > 1:
        return None
    policies = [run.name for run in found[0].runs if all(run.name in _policies(group) for group in found)]
    pools = []
    for policy in dict.fromkeys(policies):
        pool = pooled([next(run for run in group.runs if run.name == policy) for group in found])
        if pool is None:
            return None
        pools.append(pool)
    if not pools:
        return None
    length = words.span(pools[0].duration_s)
    return Group("All sessions", f"{len(found)} sessions, {length}", tuple(pools), sessions=len(found))


def _played(run: Run) -> tuple[object, ...]:
    """With which model and by whom: runs that differ in it are not comparable."""
    return run.model, run.user, run.think_ms, run.think_jitter, run.burst, run.clock


def _policies(group: Group) -> set[str]:
    return {run.name for run in group.runs}
