"""How many threads to compute with: one for each core that is free.

Threads that share a computation wait for each other at the end of every operation. If another program has a core, each
wait lasts until the scheduler switches: decoding with two threads on two busy cores took 90 ms a token, with one thread
15 ms (25M parameters; several other programs were running).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_LOAD, _TASKS = Path("/proc/loadavg"), Path("/proc/self/task")


def threads_to_use(most: int) -> int:
    """Between 1 and ``most``: one for each core that other programs use neither now nor in the last minute.

    Both count: at any moment something runs by chance, and the average of the last minute falls slowly. ``most`` on
    other systems than Linux, which do not report it.
    """
    try:
        lately, _, _, tasks, _ = _LOAD.read_text("ascii").split()
        running = int(tasks.split("/")[0])
        return fitting(most, len(os.sched_getaffinity(0)), float(lately), running, _own)
    except (OSError, ValueError):
        return most


def fitting(most: int, cores: int, lately: float, running: int, own: Callable[[], int]) -> int:
    """The rule as a pure function. ``lately`` is the load average, ``running`` how many threads run at this moment;
    ``own`` counts those of this process (at least the caller's). Counting takes half a millisecond, a twentieth of a
    suggestion: it is done only if there has been load, and only if it makes a difference."""
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
