"""The CUDA decoder against the plain one: on a GPU its graphs, elsewhere the same kernels by Triton's interpreter."""

from __future__ import annotations

import numpy as np
import torch

from tests.gpu.interpreted import DEVICE  # before any kernel is imported

from tabspec.lab.measuring.decoding import random_weights  # isort: skip
from tabspec.lab.measuring.gpu_decoding import SHAPES  # isort: skip
from tabspec.lab.measuring.gpu_steps import measure_steps  # isort: skip
from tabspec.models.decoders.llama import LlamaDecoder  # isort: skip
from tabspec.models.decoders.llama_cuda import CudaDecoder, Way, fused  # isort: skip
from tabspec.models.local.logits import Logits

import pytest  # isort: skip

pytestmark = pytest.mark.slow  # an interpreter runs the kernels where there is no GPU

# The interpreter computes bfloat16 wrongly on the CPU, float32 exactly.
DTYPE = torch.bfloat16 if DEVICE.type == "cuda" else torch.float32
SHAPE = SHAPES["tiny"]
TOKENS = torch.randint(0, SHAPE.vocabulary, (200,), generator=torch.Generator().manual_seed(1)).tolist()
# Choices for matrices that an interpreter gets done: few programs.
SINGLE, ROWS = (16, 64, 4, 1), (64, 64, 4, 2)


def close(one: Logits, two: Logits) -> bool:
    if DTYPE is torch.float32:
        return np.allclose(one, two, rtol=1e-4, atol=1e-4)
    return float(np.linalg.norm(one - two) / np.linalg.norm(two)) < 0.02  # bfloat16: eight bits, over two layers


@pytest.fixture
def pair() -> tuple[CudaDecoder, LlamaDecoder]:
    weights = random_weights(SHAPE, device=DEVICE, dtype=DTYPE)
    common = {"context": 512, "device": DEVICE, "dtype": DTYPE}
    return CudaDecoder(SHAPE, weights, **common), LlamaDecoder(SHAPE, weights, **common)  # type: ignore[arg-type]


def test_prefill_steps_and_drafts(pair: tuple[CudaDecoder, LlamaDecoder]) -> None:
    ours, plain = pair
    kv, other, at = ours.new_kv(), plain.new_kv(), 0
    for count, want in ((40, 3), (1, 1), (3, 3), (20, 1), (2, 2), (1, 1)):
        tokens = TOKENS[at : at + count]
        at += count
        assert close(ours.forward(kv, tokens, want), plain.forward(other, tokens, want))
    assert ours.graphs == (DEVICE.type == "cuda"), ours.failure


def test_truncated_and_grown(pair: tuple[CudaDecoder, LlamaDecoder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabspec.models.decoders.llama.KV_STEP", 16)
    ours, plain = pair
    kv, other = ours.new_kv(), plain.new_kv()
    for count in (30, 1):
        ours.forward(kv, TOKENS[:count], 1)
        plain.forward(other, TOKENS[:count], 1)
    ours.truncate(kv, 20)
    plain.truncate(other, 20)
    assert close(ours.forward(kv, TOKENS[:17], 1), plain.forward(other, TOKENS[:17], 1))


@pytest.mark.parametrize("single", [True, False])
def test_our_quantized_matrices(
    pair: tuple[CudaDecoder, LlamaDecoder], single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_our_kernels(kind: str, rows: int, _: torch.device) -> Way:
        alone = single and rows == 1
        return fused(kind, alone, SINGLE if alone else ROWS)

    monkeypatch.setattr("tabspec.models.decoders.llama_cuda.usual", by_our_kernels)
    ours, plain = pair
    kv, other = ours.new_kv(), plain.new_kv()
    for count in (4, 1):
        assert close(ours.forward(kv, TOKENS[:count], count), plain.forward(other, TOKENS[:count], count))


def test_each_sequence_is_computed_as_if_alone(pair: tuple[CudaDecoder, LlamaDecoder]) -> None:
    ours, plain = pair
    kvs, others = [ours.new_kv() for _ in range(2)], [plain.new_kv() for _ in range(2)]
    for number, (kv, other) in enumerate(zip(kvs, others, strict=True)):
        ours.forward(kv, TOKENS[: 20 + 9 * number], 0)
        plain.forward(other, TOKENS[: 20 + 9 * number], 0)
    for tokens in ([[5], [6]], [[7, 8], [9, 10]]):
        found = ours.forward_batch(list(zip(kvs, tokens, strict=True)), len(tokens[0]))
        for rows, other, some in zip(found, others, tokens, strict=True):
            assert close(rows, plain.forward(other, some, len(some)))


def test_steps_are_measured(pair: tuple[CudaDecoder, LlamaDecoder]) -> None:
    found = measure_steps(pair[0], 40, 2, {"copy_bytes_per_s": 1e9}, runs=1)
    assert found["batch_2"]["bytes"] > found["one"]["bytes"] and found["batch_over_one"] > 0
