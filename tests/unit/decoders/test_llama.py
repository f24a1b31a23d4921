"""Our decoder against transformers: the same logits in float32, for each architecture and way of calling it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from tabspec.models.decoders.llama import LlamaConfig, LlamaDecoder
from tabspec.models.files.int4 import quantize_groups
from tabspec.models.files.quantized import QuantizedMatrix, quantize
from tabspec.models.files.weights import load_llama_state_dict, load_stored
from tabspec.models.load import BUNDLED
from tabspec.models.local.logits import Logits
from tests import tiny
from tests.examples import examples

CPU = torch.device("cpu")
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, tied": ("llama", {"tie_word_embeddings": True}),
    "llama, one kv head": (
        "llama",
        {"num_key_value_heads": 1, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}},
    ),
    "llama, no groups": ("llama", {"num_key_value_heads": 4, "head_dim": 16}),
    "qwen2": ("qwen2", {"rms_norm_eps": 1e-5}),
    "qwen2, tied": ("qwen2", {"tie_word_embeddings": True}),
    "mistral": ("mistral", {"head_dim": 12, "sliding_window": None}),
}


@pytest.fixture(scope="module", params=list(SHAPES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model_type, changes = SHAPES[request.param]
    return tiny.save_model(tmp_path_factory.mktemp("model"), tiny.byte_level(tiny.OURS), model_type, **changes)


def own(folder: Path, dtype: torch.dtype = torch.float32, int8: bool = False, int4: bool = False) -> LlamaDecoder:
    config = LlamaConfig.of(AutoConfig.from_pretrained(folder).to_dict())
    assert config
    return LlamaDecoder(
        config, load_file(folder / "model.safetensors"), context=512, device=CPU, dtype=dtype, int8=int8, int4=int4
    )


def theirs(folder: Path, tokens: list[int], weights: Mapping[str, torch.Tensor] | None = None) -> torch.Tensor:
    """transformers' logits, with these ``weights`` instead of the folder's."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    if weights:
        assert not model.load_state_dict(weights, strict=False).unexpected_keys
    with torch.inference_mode():
        logits: torch.Tensor = model(torch.tensor([tokens])).logits[0]
    return logits


def rounded(weights: Mapping[str, torch.Tensor], int4: bool) -> dict[str, torch.Tensor]:
    """The weights as our decoders store them, in float32: those of the logits in int8, the layers' in int8 or int4; an
    embedding that is not tied to the logits' is not rounded (to bfloat16 only)."""

    def one(name: str, weight: torch.Tensor) -> torch.Tensor:
        if weight.dim() != 2 or (name == "model.embed_tokens.weight" and "lm_head.weight" in weights):
            return weight.float()
        stored = quantize_groups(weight) if int4 and "layers" in name else quantize(weight)
        return stored.dequantized(torch.float32)

    return {name: one(name, weight) for name, weight in weights.items()}


TOKENS = torch.randint(0, 400, (600,), generator=torch.Generator().manual_seed(1)).tolist()


def close(one: Logits | torch.Tensor, two: Logits | torch.Tensor) -> bool:
    # float32 sums in another order: logits of about 10 differ in the last two of seven digits
    return np.allclose(one, two, rtol=1e-4, atol=1e-4)


def test_prefill_equals_transformers(folder: Path) -> None:
    decoder = own(folder)
    assert close(decoder.forward(decoder.new_kv(), TOKENS[:300], 300), theirs(folder, TOKENS[:300]))


def test_steps_and_chunks_equal_transformers_while_the_kv_cache_grows(folder: Path) -> None:
    decoder, expected = own(folder), theirs(folder, TOKENS[:512])
    kv, at = decoder.new_kv(), 0
    for count in (1, 5, 1, 1, 100, 4, 150, 1, 249):  # beyond one step of the keys' and values' growth
        rows = decoder.forward(kv, TOKENS[at : at + count], min(count, 3))
        at += count
        assert close(rows, expected[at - min(count, 3) : at])


def test_truncated_and_copied_kv_caches_give_the_same_logits(folder: Path) -> None:
    decoder, expected = own(folder), theirs(folder, TOKENS[:60])
    kv, twin = decoder.new_kv(), decoder.new_kv()
    decoder.forward(kv, [*TOKENS[:50], 3, 3, 3], 0)
    decoder.truncate(kv, 50)
    decoder.copy(kv, twin, 40)
    assert close(decoder.forward(kv, TOKENS[50:60], 10), expected[50:])
    decoder.forward(kv, [7], 1)  # what the source does now is nothing to the copy
    assert close(decoder.forward(twin, TOKENS[40:60], 20), expected[40:])


def test_greedy_tokens_equal_transformers(folder: Path) -> None:
    decoder = own(folder)
    kv, tokens = decoder.new_kv(), TOKENS[:20]
    row = decoder.forward(kv, tokens, 1)[0]
    for _ in range(24):
        tokens = [*tokens, int(row.argmax())]
        row = decoder.forward(kv, tokens[-1:], 1)[0]
    expected = theirs(folder, tokens).argmax(-1).tolist()
    assert tokens[20:] == expected[19:-1]


def test_logits_of_int8_are_close(folder: Path) -> None:
    """bfloat16 with int8 weights: the same tokens win where one is clearly ahead, one row or many."""
    exact = theirs(folder, TOKENS[:40])
    decoder = own(folder, torch.bfloat16, int8=True)
    kv = decoder.new_kv()
    single = np.concatenate([decoder.forward(kv, [token], 1) for token in TOKENS[:40]])
    whole = decoder.forward(decoder.new_kv(), TOKENS[:40], 40)
    for rows in map(torch.from_numpy, (single, whole)):
        distance = (rows - exact).abs().mean() / exact.std()
        assert distance < 0.1  # bfloat16 itself is off by about 0.02 in these wide random models


@pytest.mark.parametrize("wide", [True, False])
def test_int4_equals_transformers_with_the_dequantized_weights(
    folder: Path, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in int8, whether many rows are computed in int4 (no bfloat16 in the processor) or in bfloat16."""
    monkeypatch.setattr("tabspec.models.decoders.llama.cpu_has_bfloat16", lambda: not wide)
    weights = load_file(folder / "model.safetensors")
    near, far = (theirs(folder, TOKENS[:40], made) for made in (rounded(weights, int4=True), weights))
    decoder = own(folder, torch.bfloat16, int8=True, int4=True)
    kv = decoder.new_kv()
    single = np.concatenate([decoder.forward(kv, [token], 1) for token in TOKENS[:40]])
    whole = decoder.forward(decoder.new_kv(), TOKENS[:40], 40)
    for rows in map(torch.from_numpy, (single, whole)):
        distance = (rows - near).abs().mean() / near.std()
        assert distance < 0.1
        assert distance < 0.5 * (rows - far).abs().mean() / near.std(), "int4 is another model than the one it is of"


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "gemma"},
        {"hidden_act": "gelu"},
        {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        {"attention_bias": True},
        {"quantization_config": {"bits": 4}},
    ],
)
def test_unsupported_configurations_are_refused(changes: dict[str, Any]) -> None:
    config = {"model_type": "llama", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1}
    config |= {"num_attention_heads": 2, "intermediate_size": 8}
    assert LlamaConfig.of(config)
    assert LlamaConfig.of(config | changes) is None


def test_a_sliding_window_bounds_the_context() -> None:
    config = AutoConfig.for_model("mistral", sliding_window=128).to_dict()
    shape = LlamaConfig.of(config)
    assert shape
    assert shape.positions == 128


def test_the_bundled_model_is_read_without_conversion() -> None:
    """Its int8 rows come back as the same integers, and in float32 it is what transformers would run."""
    stored = load_stored(BUNDLED / "model.safetensors")
    shape = LlamaConfig.of(json.loads((BUNDLED / "config.json").read_text()))
    assert shape
    weights = load_llama_state_dict(BUNDLED / "model.safetensors", torch.float32)
    decoder = LlamaDecoder(shape, weights, context=64, device=CPU, dtype=torch.bfloat16, int8=True)
    down = stored["model.layers.0.mlp.down_proj.weight"]
    assert isinstance(down, QuantizedMatrix)
    assert torch.equal(decoder.layers[0].down.int8, down.values)  # type: ignore[arg-type]


def test_a_kv_cache_that_has_grown_can_be_copied_into(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grown in a pass, its memory is an inference tensor; a slot that is used anew is written to outside of one."""
    monkeypatch.setattr("tabspec.models.decoders.llama.KV_STEP", 8)
    decoder = own(folder)
    source, target = decoder.new_kv(), decoder.new_kv()
    tokens = list(range(20))
    decoder.forward(source, tokens, 1)
    decoder.forward(target, tokens[::-1], 1)
    decoder.copy(source, target, len(tokens) - 1)
    again = decoder.forward(target, tokens[-1:], 1)
    decoder.truncate(source, len(tokens) - 1)
    assert close(again, decoder.forward(source, tokens[-1:], 1))


@settings(max_examples=examples(15))
@given(st.data())
def test_a_batch_equals_each_sequence_alone(folder: Path, data: st.DataObject) -> None:
    """Sequences of any lengths, with any numbers of new tokens, pass after pass; some begin as copies of another."""
    decoder = own(folder)
    trunk = decoder.new_kv()
    decoder.forward(trunk, TOKENS[:30], 0)
    alone, together = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        shared = data.draw(st.integers(0, 30))
        for kvs in (alone, together):
            kvs.append(decoder.new_kv())
            decoder.copy(trunk, kvs[-1], shared)
    for _ in range(data.draw(st.integers(1, 3))):
        want = data.draw(st.integers(0, 2))
        tokens = [data.draw(st.lists(st.integers(0, 399), min_size=max(want, 1), max_size=5)) for _ in alone]
        found = decoder.forward_batch(list(zip(together, tokens, strict=True)), want)
        for rows, kv, some in zip(found, alone, tokens, strict=True):
            expected = decoder.forward(kv, some, want)
            assert rows.shape == expected.shape
            assert close(rows, expected)
    assert [kv.length for kv in alone] == [kv.length for kv in together]
