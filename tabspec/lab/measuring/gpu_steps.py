"""Measures decode steps on a GPU: of one sequence, and of several branches that share a prefix. The product has no
branches. They exist here only to measure how much a shared prefix would save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tabspec.lab.measuring.gpu_decoding import floor_shares, random_tokens, step_bytes
from tabspec.lab.measuring.gpu_timer import GpuTimer
from tabspec.models.decoders.llama import LlamaKV
from tabspec.models.decoders.llama_cuda import CapturedStep, CudaDecoder, on_the_host
from tabspec.models.local.logits import Logits


class Branch(LlamaKV):
    """Keys and values of a sequence that begins with the first ``shared`` positions of ``trunk``, which are not copied.

    ``data`` holds what follows. ``trunk`` must keep those positions while the branch is in use.
    """

    __slots__ = ("shared", "trunk")

    def __init__(self, trunk: LlamaKV, data: Tensor) -> None:
        super().__init__(data)
        self.trunk, self.shared = trunk, trunk.length
        self.length = trunk.length


def branches_of(decoder: CudaDecoder, kv: LlamaKV, count: int) -> list[Branch]:
    """``count`` independent branches that continue the sequence in ``kv``."""
    return [Branch(kv, decoder.new_kv().data) for _ in range(count)]


@torch.inference_mode()
def forward_branches(decoder: CudaDecoder, kvs: Sequence[Branch], tokens: Sequence[int]) -> Logits:
    """Run one more token in each branch. The keys and values of the common trunk are read only once.

    Returns logits of shape (len(kvs), vocabulary)."""
    rows = []
    for kv, token in zip(kvs, tokens, strict=True):
        used = kv.length - kv.shared
        decoder.reserve(kv, used, used + 1)
        trunk = (kv.trunk.data.data_ptr(), kv.trunk.data.shape[3], kv.shared)
        rows.append((token, kv.length, *trunk, kv.data.data_ptr(), kv.data.shape[3], 0, used + 1))
    logits = decoder.step(len(rows))(rows)
    for kv in kvs:
        kv.length += 1
    return on_the_host(logits)


@torch.inference_mode()
def measure_steps(
    decoder: CudaDecoder, context: int, branches: int, rates: Mapping[str, float], runs: int = 30
) -> dict[str, Any]:
    """Measure a step, in milliseconds, of one sequence and of ``branches`` branches after ``context`` tokens.

    ``device_ms`` is the time of consecutive steps on the device alone. ``engine_ms`` is the time as generation calls a
    step: it also writes the table before, and copies the logits to the host after. ``rates`` are the bandwidths for
    the lower bounds.
    """
    shape, timer = decoder.config, GpuTimer(decoder.device)
    repeat = 10 if decoder.device.type == "cuda" else 1  # so that the overhead of the events is negligible
    kv = decoder.new_kv()
    decoder.forward(kv, random_tokens(context, shape), 1)
    report: dict[str, Any] = {"context": context}

    def row(memory: Tensor, used: int) -> tuple[int, ...]:
        trunk = (kv.data.data_ptr(), kv.data.shape[3], context)
        return 7, context + used, *trunk, memory.data_ptr(), memory.shape[3], 0, used + 1

    ways: dict[str, tuple[int, list[Branch]]] = {
        "one": (1, branches_of(decoder, kv, 1)),
        f"branches_{branches}": (branches, branches_of(decoder, kv, branches)),
    }
    for name, (count, kvs) in ways.items():
        step = decoder.step(count)
        step.write([row(each.data, 8) for each in kvs])

        def several(step: CapturedStep = step) -> None:
            for _ in range(repeat):
                step.run()

        device_ms = timer.median(several, runs) / repeat
        tokens = random_tokens(count, shape)

        def engine(kvs: list[Branch] = kvs, tokens: list[int] = tokens) -> None:
            forward_branches(decoder, kvs, tokens)
            for each in kvs:
                each.length = context

        engine_ms = timer.median(engine, runs, wall=True)
        read = step_bytes(decoder, context, 8 * count)
        report[name] = {
            "device_ms": device_ms,
            "engine_ms": engine_ms,
            "bytes": read,
            **floor_shares(read, device_ms, rates),
        }
    one, many = report["one"], report[f"branches_{branches}"]
    report["branches_over_one"] = many["device_ms"] / one["device_ms"]
    report["branches_over_one_engine"] = many["engine_ms"] / one["engine_ms"]
    draft = random_tokens(4, shape)

    def drafted() -> None:
        decoder.forward(kv, draft, 4)
        decoder.truncate(kv, context)

    report["one_and_3_drafts_engine_ms"] = timer.median(drafted, runs, wall=True)
    report["graph"], report["failure"] = decoder.graphs, decoder.failure
    return report
