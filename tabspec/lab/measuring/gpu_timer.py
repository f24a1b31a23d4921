"""Measures work on a GPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


class GpuTimer:
    """Measures work on a device in milliseconds, with CUDA events on CUDA and with the clock elsewhere."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"

    def once(self, work: Callable[[], object]) -> float:
        """The device's time of one run, which starts and ends with an idle device."""
        if not self._cuda:
            start = time.perf_counter()
            work()
            return 1000 * (time.perf_counter() - start)
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        before.record()
        work()
        after.record()
        torch.cuda.synchronize()
        return float(before.elapsed_time(after))

    def wall(self, work: Callable[[], object]) -> float:
        """The wall-clock time of one run until the device is idle, as a caller experiences it."""
        if self._cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        if self._cuda:
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - start)

    def median(self, work: Callable[[], object], runs: int, wall: bool = False) -> float:
        """The median of ``runs`` runs, after one run of warm-up."""
        time_one = self.wall if wall else self.once
        work()
        return statistics.median(time_one(work) for _ in range(runs))
