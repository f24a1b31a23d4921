"""How much of a recording repeats earlier edits: what next edits by pattern could save at most.

    python -m tabspec.lab.evaluation.next_edit.repeated SESSION...

A step counts as a repetition if each of its changes of tokens was made in one of the steps before. The first example
of a pattern cannot be proposed, so this is an upper bound for the rules that repeat. Rules about counterparts are not
in it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tabspec.edits.history import EMPTY
from tabspec.edits.proposals.changes import changes
from tabspec.edits.proposals.propose import LAST_STEPS
from tabspec.edits.reward import effort
from tabspec.edits.step import Step
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session
from tabspec.replay.users.user import Player, User
from tabspec.text import difference


@dataclass(frozen=True)
class Repetition:
    """``keys``: all that the person pressed; ``replacing``: those of steps that delete or replace something;
    ``repeated``: those of steps that repeat a change of the last `LAST_STEPS` steps."""

    keys: int
    replacing: int
    repeated: int
    steps: int
    repeated_steps: int

    def __add__(self, other: Repetition) -> Repetition:
        mine = (self.keys, self.replacing, self.repeated, self.steps, self.repeated_steps)
        its = (other.keys, other.replacing, other.repeated, other.steps, other.repeated_steps)
        return Repetition(*(a + b for a, b in zip(mine, its, strict=True)))


def repetition(session: Session) -> Repetition:
    """Measure one recording."""
    player = Player(session, User.TYPE)
    found = list(_steps(player))
    known: list[frozenset[object]] = []
    replacing = repeated = repeated_steps = 0
    for step in found:
        changed = difference(step.old, step.new)
        made = frozenset((change.old, change.new) for change in changes(step))
        if changed is not None:
            keys = effort(changed, moves=True)
            replacing += keys if changed.delete else 0
            if made and step.old.strip() and made <= frozenset().union(*known[-LAST_STEPS:]):
                repeated, repeated_steps = repeated + keys, repeated_steps + 1
        known.append(made)
    return Repetition(player.keys, replacing, repeated, len(found), repeated_steps)


def _steps(player: Player) -> Iterable[Step]:
    """The steps of a recording, each once it has ended."""
    history, seen = EMPTY, set[int]()
    while not player.done:
        before = player.document
        step = player.perform()
        if not step.edits:
            continue
        history = history.changed(before, step.edits, player.document, step.time)
        for ended in history.steps[:-1][-3:]:  # a moment makes few steps
            if ended.digest not in seen:
                seen.add(ended.digest)
                yield ended
    yield from history.steps[-1:]


def main(paths: Iterable[str]) -> None:
    total = Repetition(0, 0, 0, 0, 0)
    for path in paths:
        found = repetition(read_session(Path(path)))
        total += found
        print(_line(Path(path).name, found))
    print(_line("all", total))


def _line(name: str, found: Repetition) -> str:
    part = found.repeated / max(found.keys, 1)
    return (
        f"{name}: {found.keys} keys, {found.replacing} of them in steps that replace text; {found.repeated_steps} of "
        f"{found.steps} steps repeat an earlier change, {found.repeated} keys ({part:.1%})"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
