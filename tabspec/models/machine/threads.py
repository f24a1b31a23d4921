"""How many threads to compute with: as many as the machine has to spare.

Threads that share a computation wait for each other at the end of every operation. Where another program holds a
core, each wait lasts until the scheduler comes round: decoding with two threads on two busy cores took 90 ms a token
where one thread took 15 (25M parameters; the machine was running several other programs).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_LOAD, _TASKS = Path("/proc/loadavg"), Path("/proc/self/task")


def threads_to_use(most: int) -> int:
    """Between 1 and ``most``: one for each core that is not busy with other programs now, and has not been lately.

    Both are asked, because for a moment something always runs, and the average of the last minute forgets late.
    ``most`` where the system does not tell (other than Linux).
    """
    try:
        lately, _, _, tasks, _ = _LOAD.read_text("ascii").split()
        running = int(tasks.split("/")[0])
        return fitting(most, len(os.sched_getaffinity(0)), float(lately), running, _own)
    except (OSError, ValueError):
        return most


def fitting(most: int, cores: int, lately: float, running: int, own: Callable[[], int]) -> int:
    """The rule, on its own: ``lately`` is the load average, ``running`` how many threads run at this moment, ``own``
    tells how many of them are this process's, of which one asks. To count them takes half a millisecond, a twentieth of
    a suggestion: it is done only where there has been load, and where it makes a difference."""
    if lately <= cores * 0.75 or cores - (running - 1) >= most:
        return most
    others = running - own()
    return min(max(cores - others, 1), most) if others > 0 else most


def _own() -> int:
    """How many of this process's threads run at this moment."""
    return sum(_runs(stat) for stat in _TASKS.glob("*/stat"))


def _runs(stat: Path) -> bool:
    try:
        return stat.read_text("ascii", "replace").rpartition(")")[2].split()[0] == "R"
    except (OSError, IndexError):  # the thread has just ended
        return False
