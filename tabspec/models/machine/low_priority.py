"""A thread of low priority, on which speculation is computed.

While a model decodes on all cores, a language server that has the answer already waits up to a tick of the kernel (4
ms) until it runs, and so does the editor. Linux gives a waking thread the core of a thread of lower priority at once.
The process as a whole keeps its priority. Otherwise foreground requests would take twice as long while a compiler
runs; and without privileges a priority can only be lowered (setpriority(2)).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")

# Such a thread gets a tenth of a core that it shares with one of normal priority (sched(7): a step is a factor of
# 1.25). 3 and 5 made no difference to hits while a model decodes (docs/decisions/2026-11-25-server-latency.md).
NICE = 10


class LowPriorityThread:
    """Calls functions on a thread of low priority, one at a time, while the caller waits. torch's threads and those of
    the compiled decoder that such a call starts have that priority, too."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "tabspec-aside", self._lower_priority)

    def run(self, function: Callable[[], T]) -> T:
        """What ``function`` returns or raises, with the caller's number of torch's threads."""
        return self._thread.submit(_with_threads, torch.get_num_threads(), function).result()

    def _lower_priority(self) -> None:
        tid = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, tid, min(os.getpriority(os.PRIO_PROCESS, tid) + NICE, 19))


def can_use_low_priority() -> bool:
    """Whether a single thread can have a priority. On other systems than Linux, only the process has one."""
    return sys.platform == "linux"


def _with_threads(count: int, function: Callable[[], T]) -> T:
    if torch.get_num_threads() != count:  # (OpenMP counts for each thread)
        torch.set_num_threads(count)
    return function()
