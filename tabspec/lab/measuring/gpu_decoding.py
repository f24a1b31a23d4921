"""Compares the speed of decoding on a GPU with the GPU's limits, with random weights of known shapes.

The lower bound of a decode step is the time to read the weights, keys and values once from memory. The lower bound of
prefill is the time of its multiplications at the rate of a large matrix product. Both rates are measured in the same
run; the datasheet's bandwidth is reported, too. For tests, the same code runs on a CPU with a tiny shape.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tabspec.lab.measuring.decoding import random_weights
from tabspec.lab.measuring.gpu_timer import GpuTimer
from tabspec.models.decoders.llama import LlamaConfig, LlamaDecoder, Matrix
from tabspec.models.decoders.llama_cuda import (
    KINDS,
    CapturedStep,
    CudaDecoder,
)

_QWEN = dict(positions=32768, rope_theta=1e6, norm_eps=1e-6, head_dim=128, qkv_bias=True)
# From the config.json of Qwen/Qwen2.5-Coder-1.5B and -7B.
SHAPES: Mapping[str, LlamaConfig] = {
    "7b": LlamaConfig(vocabulary=152064, hidden=3584, layers=28, heads=28, kv_heads=4, mlp=18944, tied=False, **_QWEN),  # type: ignore[arg-type]
    "1.5b": LlamaConfig(vocabulary=151936, hidden=1536, layers=28, heads=12, kv_heads=2, mlp=8960, tied=True, **_QWEN),  # type: ignore[arg-type]
    # For tests: grouped heads, no power of two anywhere.
    "tiny": LlamaConfig(72, 48, 2, 6, 2, 8, 40, 512, 1e4, 1e-6, False, True),
}
# Bytes a second from the vendor's datasheets, by a part of the name that the driver reports.
DATASHEET: Mapping[str, float] = {"H100 80GB HBM3": 3.35e12, "H200": 4.8e12, "A100-SXM4-80GB": 2.04e12}


@contextmanager
def fresh_memory(device: torch.device) -> Iterator[None]:
    """Free the device's memory at the end of the block."""
    try:
        yield
    finally:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def ceilings(device: torch.device, small: bool = False) -> dict[str, float]:
    """The device's measured limits: bytes a second of a copy (reads plus writes) and of a read, and floating-point
    operations a second of a large bfloat16 matrix product (on random data, because zeros run faster)."""
    timer = GpuTimer(device)
    count = 1 << (20 if small else 31)
    source = torch.randint(0, 100, (count // 4,), device=device, dtype=torch.int32)
    target = torch.empty_like(source)
    copy_ms = min(timer.median(lambda: target.copy_(source), 10) for _ in range(2))
    read_ms = min(timer.median(lambda: torch.sum(source, dtype=torch.int32), 10) for _ in range(2))
    side = 128 if small else 8192
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    matmul_ms = timer.median(lambda: a @ b, 20)
    return {
        "copy_bytes_per_s": 2 * count / copy_ms * 1000,
        "read_bytes_per_s": count / read_ms * 1000,
        "matmul_flops": 2 * side**3 / matmul_ms * 1000,
    }


def datasheet_bandwidth(device: torch.device) -> float | None:
    """The memory bandwidth from the vendor's datasheet in bytes a second; None if it is not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((rate for part, rate in DATASHEET.items() if part in name), None)


def matrices_of(decoder: LlamaDecoder, kind: str) -> list[Matrix]:
    """All matrices of this kind, one for each layer."""
    return [decoder.logits] if kind == "logits" else [getattr(layer, kind) for layer in decoder.layers]


def step_bytes(decoder: LlamaDecoder, context: int) -> int:
    """Bytes that a decode step reads: all matrices once, and the keys and values of ``context`` positions."""
    matrices = [m for kind in KINDS for m in matrices_of(decoder, kind)]
    return sum(m.weight.nbytes for m in matrices) + kv_bytes(decoder.config) * context


def kv_bytes(shape: LlamaConfig, element: int = 2) -> int:
    """Bytes of the keys and values of one position."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * element


def make_decoder(
    shape: LlamaConfig, context: int, device: torch.device, dtype: torch.dtype
) -> tuple[CudaDecoder, dict[str, Tensor]]:
    """A decoder with random weights, and the weights."""
    weights = random_weights(shape, device=device, dtype=dtype)
    return CudaDecoder(shape, weights, context=context, device=device, dtype=dtype), weights


def random_tokens(count: int, shape: LlamaConfig, seed: int = 1) -> list[int]:
    return torch.randint(0, shape.vocabulary, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def floor_shares(read: int, ms: float, rates: Mapping[str, float]) -> dict[str, float]:
    """The time of reading ``read`` bytes as a share of ``ms``, at the measured bandwidth and at the datasheet's."""
    names = {"copy_bytes_per_s": "floor_share_copy", "datasheet_bytes_per_s": "floor_share_datasheet"}
    return {share: read / rates[rate] / (ms / 1000) for rate, share in names.items() if rates.get(rate)}


def measure_prefill(
    decoder: CudaDecoder, context: int, more: int, rates: Mapping[str, float], runs: int = 5
) -> dict[str, Any]:
    """Measure the prefill of ``context`` tokens in one pass, and the time to the first token: with an empty KV cache,
    and with all but ``more`` of the tokens in it."""
    shape, timer = decoder.config, GpuTimer(decoder.device)
    tokens = random_tokens(context, shape)
    kv = decoder.new_kv()
    decoder.forward(kv, tokens, 1)

    def again(keep: int) -> Callable[[], object]:
        def work() -> int:
            decoder.truncate(kv, keep)
            return int(decoder.forward(kv, tokens[keep:], 1)[0].argmax())

        return work

    fresh_ms = timer.median(again(0), runs, wall=True)
    reuse_ms = timer.median(again(context - more), runs, wall=True)
    one_ms = timer.median(again(context - 1), runs, wall=True)
    device_ms = timer.median(again(0), runs)
    matrices = sum(m.weight.numel() for kind in KINDS if kind != "logits" for m in matrices_of(decoder, kind))
    # Each token attends to half of the others on average; two products (scores, values) of two operations each.
    attention = 2 * 2 * shape.layers * shape.heads * shape.head_dim * context * (context + 1) / 2
    flops = 2 * matrices * context + attention
    return {
        "context": context,
        "first_token_fresh_ms": fresh_ms,
        f"first_token_{more}_new_ms": reuse_ms,
        "first_token_1_new_ms": one_ms,
        "prefill_device_ms": device_ms,
        "flops": flops,
        "peak_share": flops / (device_ms / 1000) / rates["matmul_flops"],
        "tokens_per_s": context / fresh_ms * 1000,
    }


def measure_generate(
    shape: LlamaConfig,
    weights: Mapping[str, Tensor],
    device: torch.device,
    dtype: torch.dtype,
    context: int,
    new: int,
    runs: int = 3,
) -> dict[str, Any]:
    """Measure transformers' greedy ``generate`` with the same weights: the time to the first token, and milliseconds
    for each further one."""
    theirs = importlib.import_module("tabspec.lab.baselines.transformers")
    model = theirs.from_weights(shape, weights, device, dtype).model
    ids = torch.tensor([random_tokens(context, shape)], device=device)
    timer = GpuTimer(device)
    report: dict[str, Any] = {
        "context": context,
        "new": new,
        "transformers": importlib.import_module("transformers").__version__,
    }

    def generate(count: int, **options: Any) -> Callable[[], object]:
        def work() -> object:
            with torch.inference_mode():
                return model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=count,
                    min_new_tokens=count,
                    do_sample=False,
                    pad_token_id=0,
                    eos_token_id=None,
                    **options,
                )

        return work

    first = timer.median(generate(1), runs, wall=True)
    report["first_token_ms"] = first
    report["ms_per_token"] = (timer.median(generate(1 + new), runs, wall=True) - first) / new
    return report


def check_tokens(decoder: CudaDecoder, weights: Mapping[str, Tensor], prompt: int, new: int) -> dict[str, Any]:
    """Compare the greedy tokens and the logits of the captured steps with those of the plain decoder."""
    shape = decoder.config
    plain_decoder = LlamaDecoder(shape, weights, context=prompt + new, device=decoder.device, dtype=decoder.dtype)
    tokens = random_tokens(prompt, shape)
    ours, theirs = decoder.new_kv(), plain_decoder.new_kv()
    a, b = decoder.forward(ours, tokens, 1)[0], plain_decoder.forward(theirs, tokens, 1)[0]
    equal, furthest, spread = 0, 0.0, float(b.std())
    for _ in range(new):
        furthest = max(furthest, float(abs(a - b).max()))
        token = int(b.argmax())
        equal += int(a.argmax()) == token
        a, b = decoder.forward(ours, [token], 1)[0], plain_decoder.forward(theirs, [token], 1)[0]
    return {"tokens": new, "equal": equal, "largest_difference": furthest, "logits_std": spread}


@torch.inference_mode()
def measure_heads(
    base: LlamaConfig,
    kv_heads: int,
    batch: int,
    context: int,
    device: torch.device,
    dtype: torch.dtype,
    rates: Mapping[str, float],
    runs: int = 5,
) -> dict[str, Any]:
    """Measure a step of ``batch`` sequences of ``context`` positions each, with ``kv_heads`` key-value heads. Reports
    bytes for each position, tokens a second, and how many such sequences fit into the device's memory with the weights.

    ``batch`` is halved until the sequences fit.
    """
    shape = replace(base, kv_heads=kv_heads)
    decoder = make_decoder(shape, context, device, dtype)[0]
    gc.collect()
    each = kv_bytes(shape) * context
    if device.type == "cuda":
        torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 1 << 30
    # 1 GiB is reserved for the working memory of a step and of the libraries.
    most = int((free - (1 << 30)) // each) if device.type == "cuda" else batch
    run = batch
    while run > max(most, 1):
        run //= 2
    report: dict[str, Any] = {
        "kv_heads": kv_heads,
        "heads": shape.heads,
        "kv_bytes_per_token": kv_bytes(shape),
        "context": context,
        "largest_batch": most,
        "batch": run,
    }
    room = -(-context // 8) * 8
    memory = [
        torch.empty(shape.layers, 2, kv_heads, room, shape.head_dim, device=device, dtype=dtype).normal_()
        for _ in range(run)
    ]
    # About eight programs for each of 132 multiprocessors, so that a multiprocessor that finishes early gets another.
    parts = max(1056 // (run * kv_heads), 1) if device.type == "cuda" else 2
    step = CapturedStep(decoder, run, 0, min(parts, 64))
    step.write([(7, context - 1, m.data_ptr(), room, 0, context) for m in memory])

    def several() -> None:
        for _ in range(3):
            step.run()

    ms = GpuTimer(device).median(several, runs) / 3
    read = step_bytes(decoder, context * run)
    report |= {"step_ms": ms, "tokens_per_s": run / ms * 1000, "bytes": read, **floor_shares(read, ms, rates)}
    report["graph"], report["failure"] = decoder.graphs, decoder.failure
    return report
