"""Compares the speed of decoders with the same weights, threads and tokens. Results are medians.

The decoders take turns, so that noise of the machine affects all of them alike. Where there is no model of a size,
random weights are used: the time does not depend on the values of weights.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from tabspec.models.decoders.llama import LlamaConfig, LlamaDecoder
from tabspec.models.decoders.llama_model import compiled_decoder
from tabspec.models.decoders.native import NativeDecoder
from tabspec.models.local.batching import CHUNK
from tabspec.models.local.slots import Decoder
from tabspec.models.machine.devices import pick_device, pick_dtype

# Shapes of small code models: 8,192 tokens, grouped-query attention 4:1, tied embeddings. "25m" is the bundled one's
# but for a layer. "0.5b" is that of Qwen2.5-Coder-0.5B (its config.json) but for the biases and the number of
# positions: without them it can be had as GGUF, too.
SHAPES: Mapping[str, LlamaConfig] = {
    name: LlamaConfig(vocabulary, hidden, layers, heads, kv_heads, 64, mlp, 2048, 10_000.0, 1e-5, True, False)
    for name, vocabulary, hidden, layers, heads, kv_heads, mlp in (
        ("8m", 8192, 256, 6, 4, 1, 704),
        ("25m", 8192, 512, 8, 8, 2, 1408),
        ("100m", 8192, 768, 12, 12, 3, 2560),
        ("0.5b", 151936, 896, 24, 14, 2, 4864),
    )
}


@dataclass(frozen=True, slots=True)
class DecoderSpeed:
    """Medians of one decoder: milliseconds for each decoded token, and prefill in tokens a second. ``floor_ms`` is a
    lower bound: the time to read the weights, keys and values that a token needs (0: unknown)."""

    name: str
    decode_ms: float
    prefill_per_s: float
    floor_ms: float


@dataclass(frozen=True, slots=True)
class KvMeasured:
    """Medians in milliseconds: a prefill with an empty KV cache (``fresh``), and operations with a kept one."""

    fresh: float
    more_1: float
    more_8: float
    more_64: float
    copy: float
    draft_3: float


def random_weights(
    shape: LlamaConfig, seed: int = 0, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Random weights of this shape with transformers' names, created on ``device``."""
    random = torch.Generator(device or "cpu").manual_seed(seed)

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=random, device=device, dtype=dtype).mul_(columns**-0.5)

    def ones(count: int) -> Tensor:
        return torch.ones(count, device=device, dtype=dtype)

    wide, narrow = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    weights = {"model.embed_tokens.weight": matrix(shape.vocabulary, shape.hidden)}
    weights["model.norm.weight"] = ones(shape.hidden)
    if not shape.tied:
        weights["lm_head.weight"] = matrix(shape.vocabulary, shape.hidden)
    for at in (f"model.layers.{i}" for i in range(shape.layers)):
        for name, rows in (("q", wide), ("k", narrow), ("v", narrow)):
            weights[f"{at}.self_attn.{name}_proj.weight"] = matrix(rows, shape.hidden)
            if shape.qkv_bias:
                weights[f"{at}.self_attn.{name}_proj.bias"] = matrix(1, rows)[0]
        weights[f"{at}.self_attn.o_proj.weight"] = matrix(shape.hidden, wide)
        for name in ("gate", "up"):
            weights[f"{at}.mlp.{name}_proj.weight"] = matrix(shape.mlp, shape.hidden)
        weights[f"{at}.mlp.down_proj.weight"] = matrix(shape.hidden, shape.mlp)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{at}.{name}.weight"] = ones(shape.hidden)
    return weights


def contenders(
    shape: LlamaConfig, device: str = "cpu", weights: Mapping[str, Tensor] | None = None
) -> dict[str, Decoder]:
    """Decoders by name, transformers last. All have the same ``weights`` (random ones if none are given)."""
    at, weights = pick_device(device), weights or random_weights(shape)
    numbers = pick_dtype("auto", at)
    name = str(numbers).removeprefix("torch.")
    found: dict[str, Decoder] = {}
    for stored, int4 in (("int8", False), ("int4", True)) if at.type == "cpu" else ():
        if native := compiled_decoder(shape, weights, 2048, int4):
            found[f"own, compiled, {stored} ({native.level})"] = native
        if int4 or numbers is torch.bfloat16:  # on every processor, int4 is computed in bfloat16
            found[f"own, {stored}"] = LlamaDecoder(
                shape, weights, context=2048, device=at, dtype=torch.bfloat16, int8=True, int4=int4
            )
    found[f"own, {name}"] = LlamaDecoder(shape, weights, context=2048, device=at, dtype=numbers)
    theirs = importlib.import_module("tabspec.lab.baselines.transformers")
    found[f"transformers, {name}"] = theirs.from_weights(shape, weights, at, numbers)
    return found


def measure_decode(
    decoders: Mapping[str, Decoder], prompt: int, steps: int, rounds: int, floors: Mapping[str, float]
) -> list[DecoderSpeed]:
    """Prefill ``prompt`` tokens and decode ``steps`` tokens with each decoder, in ``rounds`` turns."""
    prompt_tokens = tokens(prompt)
    step_ms: dict[str, list[float]] = {name: [] for name in decoders}
    prefill_s: dict[str, list[float]] = {name: [] for name in decoders}
    for turn in range(rounds + 1):
        for name, decoder in decoders.items():
            kv = decoder.new_kv()
            seconds = _timed(lambda d=decoder, k=kv: _prefill(d, k, prompt_tokens))  # type: ignore[misc]
            each = [_timed(lambda d=decoder, k=kv, t=t: d.forward(k, [t], 1)) for t in prompt_tokens[:steps]]  # type: ignore[misc]
            if turn:  # the first one warms up
                prefill_s[name].append(seconds)
                step_ms[name].append(1000 * statistics.median(each))
    return [
        DecoderSpeed(
            name, statistics.median(step_ms[name]), prompt / statistics.median(prefill_s[name]), floors.get(name, 0)
        )
        for name in decoders
    ]


def measure_kv(decoder: Decoder, prompt: int, rounds: int) -> KvMeasured:
    """Measure how much time kept keys and values save."""
    prompt_tokens = tokens(prompt)
    kv, twin = decoder.new_kv(), decoder.new_kv()

    def more(count: int) -> Callable[[], object]:
        return lambda: decoder.forward(kv, prompt_tokens[:count], 1)

    def verified() -> object:
        return decoder.forward(kv, prompt_tokens[:4], 4)

    ways: dict[str, Callable[[], object]] = {
        "fresh": lambda: _prefill(decoder, decoder.new_kv(), prompt_tokens),
        "more_1": more(1),
        "more_8": more(8),
        "more_64": more(64),
        "copy": lambda: decoder.copy(kv, twin, prompt),
        "draft_3": verified,
    }
    _prefill(decoder, kv, prompt_tokens)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            seconds = _timed(way)
            decoder.truncate(kv, prompt)
            if turn:
                times[name].append(1000 * seconds)
    return KvMeasured(**{name: statistics.median(values) for name, values in times.items()})


def read_ms(size: int) -> float:
    """Milliseconds in which torch's threads read ``size`` bytes: the smallest median of three operations.

    The array is read repeatedly, so the processor's caches hold a part of it, as they do with weights of this size.
    """
    array = torch.ones(max(size // 4, 1), dtype=torch.float32)
    ways: tuple[Callable[[], object], ...] = (array.sum, array.max, lambda: torch.dot(array, array))
    # Three times to warm up; 15 reads of 30 MB are some 10 ms.
    medians = [statistics.median([_timed(way) for _ in range(18)][3:]) for way in ways]
    return 1000 * min(medians)


def floors(decoders: Mapping[str, Decoder], shape: LlamaConfig, prompt: int) -> dict[str, float]:
    """Milliseconds in which torch's threads read the weights, keys and values that one token needs, for tabspec's own
    decoders."""
    found = {}
    for name, decoder in decoders.items():
        if isinstance(decoder, LlamaDecoder):
            matrices = [m for x in decoder.layers for m in (x.qkv, x.out, x.gate_up, x.down)] + [decoder.logits]
            read = sum(m.nbytes for m in matrices)
            kept = 2 * shape.layers * shape.kv_heads * shape.head_dim * prompt * decoder.embedding.element_size()
            found[name] = read_ms(read + kept)
        elif isinstance(decoder, NativeDecoder):
            kept = 2 * shape.layers * shape.kv_heads * shape.head_dim * prompt * 2  # bfloat16
            found[name] = read_ms(decoder.nbytes + kept)
    return found


def as_fields(results: Sequence[DecoderSpeed | KvMeasured]) -> list[dict[str, object]]:
    """For JSON."""
    return [asdict(result) for result in results]


def set_threads(count: int) -> None:
    """torch's threads in this process."""
    torch.set_num_threads(count)


def tokens(count: int) -> list[int]:
    """A prompt: any tokens do."""
    return [(7919 * i) % 8000 for i in range(count)]


def _prefill(decoder: Decoder, kv: object, tokens: Sequence[int]) -> None:
    chunk = getattr(decoder, "prefill_chunk", CHUNK)  # llama.cpp sets its own size
    for at in range(0, len(tokens), chunk):
        decoder.forward(kv, tokens[at : at + chunk], 1)


def _timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start
