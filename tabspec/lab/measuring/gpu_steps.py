"""Decode steps on a GPU: of one sequence, and of branches that share what came before. Branches exist here only: how
much a shared prefix would save a step is measured, and nothing in the product asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tabspec.lab.measuring.gpu_decoding import Timer, floor_shares, random_tokens, step_bytes
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
    """``count`` sequences that go on, each for itself, behind all that ``kv`` holds."""
    return [Branch(kv, decoder.new_kv().data) for _ in range(count)]


@torch.inference_mode()
def forward_branches(decoder: CudaDecoder, kvs: Sequence[Branch], tokens: Sequence[int]) -> Logits:
    """Run one token more in each of some branches of one trunk, whose keys and values are read once for all.

    Logits of shape (len(kvs), vocabulary)."""
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
    """One sequence, and ``branches`` over a shared trunk, behind ``context`` tokens: milliseconds a step.

    ``device``: steps one after another on the device, as it can at best; ``engine``: as generation calls it, with the
    table written before and the logits copied to the host behind. Floors with the measured copy's bandwidth.
    """
    shape, timer = decoder.config, Timer(decoder.device)
    repeat = 10 if decoder.device.type == "cuda" else 1  # so that an event's own time does not count
    kv = decoder.new_kv()
    decoder.forward(kv, random_tokens(context, shape), 1)
    told: dict[str, Any] = {"context": context}

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
        told[name] = {
            "device_ms": device_ms,
            "engine_ms": engine_ms,
            "bytes": read,
            **floor_shares(read, device_ms, rates),
        }
    one, many = told["one"], told[f"branches_{branches}"]
    told["branches_over_one"] = many["device_ms"] / one["device_ms"]
    told["branches_over_one_engine"] = many["engine_ms"] / one["engine_ms"]
    draft = random_tokens(4, shape)

    def drafted() -> None:
        decoder.forward(kv, draft, 4)
        decoder.truncate(kv, context)

    told["one_and_3_drafts_engine_ms"] = timer.median(drafted, runs, wall=True)
    told["graph"], told["failure"] = decoder.graphs, decoder.failure
    return told
