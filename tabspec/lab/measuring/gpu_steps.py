"""Measures decode steps on a GPU: of one sequence, and of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tabspec.lab.measuring.gpu_decoding import floor_shares, random_tokens, step_bytes
from tabspec.lab.measuring.gpu_timer import GpuTimer
from tabspec.models.decoders.llama_cuda import CapturedStep, CudaDecoder


@torch.inference_mode()
def measure_steps(
    decoder: CudaDecoder, context: int, batch: int, rates: Mapping[str, float], runs: int = 30
) -> dict[str, Any]:
    """Measure a step, in milliseconds, of one sequence and of ``batch`` sequences after ``context`` tokens each.

    ``device_ms`` is the time of consecutive steps on the device alone. ``engine_ms`` is the time as generation calls a
    step: it also writes the table before, and copies the logits to the host after. ``rates`` are the bandwidths for
    the lower bounds.
    """
    shape, timer = decoder.config, GpuTimer(decoder.device)
    repeat = 10 if decoder.device.type == "cuda" else 1  # so that the overhead of the events is negligible
    kvs = [decoder.new_kv() for _ in range(batch)]
    decoder.forward(kvs[0], random_tokens(context, shape), 1)
    for kv in kvs[1:]:
        decoder.copy(kvs[0], kv, context)
    for kv in kvs:
        decoder.reserve(kv, context, context + 8)
    report: dict[str, Any] = {"context": context}
    for name, count in (("one", 1), (f"batch_{batch}", batch)):
        step, trunk = decoder.step(count, apart=count > 1), context if count == 1 else 0
        step.write([(7, context, kv.data.data_ptr(), kv.data.shape[3], trunk, context + 1) for kv in kvs[:count]])

        def several(step: CapturedStep = step) -> None:
            for _ in range(repeat):
                step.run()

        device_ms = timer.median(several, runs) / repeat
        tokens = [[token] for token in random_tokens(count, shape)]

        def engine(count: int = count, tokens: list[list[int]] = tokens) -> None:
            if count == 1:
                decoder.forward(kvs[0], tokens[0], 1)
            else:
                decoder.forward_batch(list(zip(kvs, tokens, strict=True)), 1)
            for kv in kvs:
                decoder.truncate(kv, context)

        engine_ms = timer.median(engine, runs, wall=True)
        read = step_bytes(decoder, context * count)
        report[name] = {
            "device_ms": device_ms,
            "engine_ms": engine_ms,
            "bytes": read,
            **floor_shares(read, device_ms, rates),
        }
    one, many = report["one"], report[f"batch_{batch}"]
    report["batch_over_one"] = many["device_ms"] / one["device_ms"]
    report["batch_over_one_engine"] = many["engine_ms"] / one["engine_ms"]
    draft = random_tokens(4, shape)

    def drafted() -> None:
        decoder.forward(kvs[0], draft, 4)
        decoder.truncate(kvs[0], context)

    report["one_and_3_drafts_engine_ms"] = timer.median(drafted, runs, wall=True)
    report["graph"], report["failure"] = decoder.graphs, decoder.failure
    return report
