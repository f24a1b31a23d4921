"""How many threads to compute with: as many as the machine has to spare; ahead, one fewer.

Threads that share a computation wait for each other at the end of every operation. Where another program holds a
core, each wait lasts until the scheduler comes round: decoding with two threads on two busy cores took 90 ms a token
where one thread took 15 (25M parameters; the machine was running several other programs).

What is asked ahead has time, and must not be felt: while it computed on every core, the editor and the server had to
wait for one of them, and a suggestion that was there already came some milliseconds late
(docs/decisions/2026-11-25-server-latency.md). So it leaves them a core.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

_LOAD, _TASKS = Path("/proc/loadavg"), Path("/proc/self/task")


class Threads:
    """torch's number of threads, pass by pass. It stays until the next one: what is done with the logits between two
    passes must not wait for more threads than the passes do (with 2 in place of 1 there, a token took 5 ms in place of
    0.7 on a busy machine).
    """

    # Of the process, as torch's number is: the most (what others have set it to), and what was set here last.
    _most = _ours = 0

    def __init__(self) -> None:
        self._free = 0

    def look(self) -> None:
        """A generation begins: see what the machine has to spare."""
        if torch.get_num_threads() != Threads._ours:
            Threads._most = torch.get_num_threads()
        self._free = threads_to_use(Threads._most)

    def use(self, foreground: bool) -> None:
        """A pass begins."""
        if not self._free:
            self.look()
        count = self._free if foreground else leaving_one(self._free)
        if count != torch.get_num_threads():
            torch.set_num_threads(count)
        Threads._ours = count


def leaving_one(threads: int) -> int:
    """One fewer, if there is more than one."""
    return max(threads - 1, 1)


def threads_to_use(most: int) -> int:
    """Between 1 and ``most``: one for each core that is not busy with other programs now, and has not been lately.

    Both are asked, because for a moment something always runs, and the average of the last minute forgets late.
    ``most`` where the system does not tell (other than Linux).
    """
    try:
        lately, _, _, tasks, _ = _LOAD.read_text("ascii").split()
        running = int(tasks.split("/")[0])
        own = sum(_runs(stat) for stat in _TASKS.glob("*/stat"))
    except (OSError, ValueError):
        return most
    cores = len(os.sched_getaffinity(0))
    return fitting(most, cores, float(lately), running - own)


def fitting(most: int, cores: int, lately: float, others: int) -> int:
    """The rule, on its own: ``lately`` is the load average, ``others`` how many other threads run at this moment."""
    busy = lately > cores * 0.75 and others > 0
    return min(max(cores - others, 1), most) if busy else most


def _runs(stat: Path) -> bool:
    try:
        return stat.read_text("ascii", "replace").rpartition(")")[2].split()[0] == "R"
    except (OSError, IndexError):  # the thread has just ended
        return False
