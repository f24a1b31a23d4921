"""Chooses the fastest implementation of each matrix product on a GPU, for the bench of decoding."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tabspec.models.decoders.llama import LlamaDecoder, Matrix
from tabspec.models.decoders.llama_cuda import KINDS, CudaDecoder, Way, capture, fused, plain

# Candidates for a Hopper GPU: (outputs of a program, inputs of an iteration, warps, iterations loaded in advance). More
# bytes in flight hide more of the memory's latency. More programs balance better over 132 multiprocessors.
ROWS_CHOICES = ((16, 256, 4, 4), (16, 512, 4, 3), (32, 128, 4, 5), (64, 128, 4, 4))
SINGLE_CHOICES = ((1, 2048, 4, 1), (2, 1024, 4, 1), (4, 1024, 4, 1), (8, 512, 8, 1))


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


def matrices_of(decoder: LlamaDecoder, kind: str) -> list[Matrix]:
    """All matrices of this kind, one for each layer."""
    return [decoder.logits] if kind == "logits" else [getattr(layer, kind) for layer in decoder.layers]


def tune(decoder: CudaDecoder, rows: int, seconds: float = 60.0) -> dict[str, dict[str, float]]:
    """For each kind of matrix, select the fastest implementation (cuBLAS or one of tabspec's kernels), measured in a
    graph over the weights of all layers. Returns microseconds for each matrix, by kind and implementation; "failures"
    lists those that raised. Tries no further implementations after ``seconds``."""
    until = time.perf_counter() + seconds
    report: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        matrices = matrices_of(decoder, kind)
        deep, wide = matrices[0].weight.shape[1], matrices[0].weight.shape[0] // (2 if kind == "gate_up" else 1)
        x = torch.randn(rows, deep, device=decoder.device, dtype=decoder.dtype)
        out = torch.zeros(rows, wide, device=decoder.device, dtype=decoder.dtype)
        ways: dict[str, Way] = {"cublas": plain(kind)}
        for single, choices in ((False, ROWS_CHOICES), (True, SINGLE_CHOICES if rows == 1 else ())):
            for choice in choices:
                name = f"{'single' if single else 'rows'} {' '.join(map(str, choice))}"
                ways[name] = fused(kind, single, choice)
        times: dict[str, float] = {}
        for name, way in ways.items():
            if time.perf_counter() > until and times:
                break
            try:
                times[name] = _time_way(way, x, matrices, out, decoder.device)
            except Exception as error:
                report.setdefault("failures", {})[f"{kind} {name}: {type(error).__name__}: {error}"[:300]] = 0.0
        best = min(times, key=lambda name: times[name])
        decoder.ways[kind, rows] = ways[best]
        report[kind] = {name: round(us, 2) for name, us in sorted(times.items(), key=lambda item: item[1])}
    decoder.forget_steps()
    return report


@torch.inference_mode()
def _time_way(way: Way, x: Tensor, matrices: Sequence[Any], out: Tensor, device: torch.device) -> float:
    """The time of one implementation, in microseconds for each matrix."""

    def launch() -> None:
        for matrix in matrices:
            way(x, matrix, out)

    work = capture(launch).replay if device.type == "cuda" else launch
    work()
    return 1000 * min(GpuTimer(device).once(work) for _ in range(3)) / len(matrices)
