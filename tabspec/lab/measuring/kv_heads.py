"""Compares models of one size with different numbers of key-value heads: held-out losses, bytes, and step times.

The models are runs of `tabspec train run --kv-heads`. A step time does not depend on the values of weights, so it is
measured with random weights of the same shapes, and on any machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tabspec.errors import InputError
from tabspec.lab.evaluation.bits import corpus_bits
from tabspec.lab.evaluation.scorer import Scorer
from tabspec.lab.measuring.decoding import random_weights, tokens
from tabspec.models.decoders.llama import LlamaConfig
from tabspec.models.decoders.llama_model import compiled_decoder
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.tokenizer import EOM, special_id
from tabspec.train.journal import read_journal
from tabspec.train.network import Network, Shape
from tabspec.train.trainer import LOG_NAME
from tabspec.train.weights.export import load_model


def trained(run: Path, held_out: Corpus | None, size: int, device: torch.device) -> dict[str, Any]:
    """The shape of a finished run, what it was trained on, its last held-out losses, and its bits per byte on ``size``
    bytes of ``held_out``. Raises `InputError` if ``run`` is no finished run."""
    weights, shape, tokenizer = load_model(run / "model")
    try:
        records = read_journal(run / LOG_NAME)
    except OSError as error:
        raise InputError(f"{run}: has no {LOG_NAME}: name the folders of finished runs") from error
    losses = next((record for record in reversed(records) if record.validation is not None), None)
    if losses is None:
        raise InputError(f"{run}: has no held-out loss; train it with --held-out")
    network = Network(shape).to(device)
    network.load_state_dict(weights)
    network.eval()
    scorer = Scorer(lambda ids: network(ids.to(device)).cpu(), tokenizer, shape.context, special_id(tokenizer, EOM))
    bits = corpus_bits(scorer, _texts(held_out, size)) if held_out is not None else None
    return {
        "kv_heads": shape.kv_heads,
        "heads": shape.heads,
        "hidden": shape.hidden,
        "layers": shape.layers,
        "mlp": shape.mlp,
        "head": shape.head,
        "context": shape.context,
        "vocabulary": shape.vocabulary,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "kv_bytes_per_token": shape.kv_bytes,
        "tokens": losses.tokens,
        "steps": losses.step,
        "validation": losses.validation,
        "prefixes": losses.prefixes,
        "middles": losses.middles,
        "ends": losses.ends,
        "bits_per_byte": bits.per_byte if bits else None,
        "scored_bytes": bits.bytes if bits else 0,
    }


def _texts(corpus: Corpus, size: int) -> list[tuple[str, str]]:
    """Documents of about ``size`` bytes together (name, text), the same ones each time."""
    found: list[tuple[str, str]] = []
    for index in np.random.default_rng(0).permutation(len(corpus)):
        if size <= 0:
            break
        entry = corpus[int(index)]
        found.append((entry.name, corpus.text(int(index))))
        size -= entry.end - entry.start
    return found


def decoder_shape(model: Mapping[str, Any]) -> LlamaConfig:
    """The shape of a model of `trained`, for decoders."""
    rest = Shape()
    return LlamaConfig(
        model["vocabulary"],
        model["hidden"],
        model["layers"],
        model["heads"],
        model["kv_heads"],
        model["head"],
        model["mlp"],
        model["context"],
        rest.rope_theta,
        rest.norm_epsilon,
        tied=True,
        qkv_bias=False,
    )


def cpu_steps(shapes: Sequence[LlamaConfig], batches: Sequence[int], prompt: int, runs: int) -> list[dict[str, Any]]:
    """Median milliseconds of a step of the compiled int8 decoder for each shape and batch, after ``prompt`` tokens.

    The shapes take turns, so that the machine's noise affects all alike. Raises `InputError` if the compiled decoder is
    not installed.
    """
    decoders = [compiled_decoder(shape, random_weights(shape), shape.positions, False) for shape in shapes]
    found: list[dict[str, Any]] = []
    for batch in batches:
        works: list[Callable[[], object]] = []
        for decoder in decoders:
            if decoder is None:
                raise InputError("the compiled decoder is not installed; see `tabspec doctor`")
            first = decoder.new_kv()
            decoder.forward(first, tokens(prompt), 1)
            kvs = [decoder.new_kv() for _ in range(batch)]
            for kv in kvs:
                decoder.copy(first, kv, prompt)

            def step(decoder: Any = decoder, kvs: list[Any] = kvs) -> None:
                decoder.forward_batch([(kv, [7]) for kv in kvs], 1)
                for kv in kvs:
                    decoder.truncate(kv, prompt)

            works.append(step)
        for shape, ms in zip(shapes, in_turns(works, runs), strict=True):
            found.append({"kv_heads": shape.kv_heads, "batch": batch, "ms": ms})
    return found


def gpu_steps(
    shapes: Sequence[LlamaConfig], batches: Sequence[int], prompt: int, runs: int, device: torch.device
) -> list[dict[str, Any]]:
    """Median milliseconds of a step of the decoder for GPUs on the device, for each shape and batch."""
    from tabspec.lab.measuring.gpu_decoding import fresh_memory, measure_heads

    found = []
    for shape in shapes:
        for batch in batches:
            with fresh_memory(device):
                each = measure_heads(shape, shape.kv_heads, batch, prompt, device, torch.bfloat16, {}, runs)
            found.append({"kv_heads": shape.kv_heads, "batch": each["batch"], "ms": each["step_ms"]})
    return found


def in_turns(works: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """The median milliseconds of each of ``works``, which run in turns. The first run is not counted."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(runs + 1):
        for number, work in enumerate(works):
            start = time.perf_counter()
            work()
            if turn:
                times[number].append(1000 * (time.perf_counter() - start))
    return [statistics.median(each) for each in times]
