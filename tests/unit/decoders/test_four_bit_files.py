"""Models whose files are in four bits: the decoders compute with the file's numbers, and quantize nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from tabspec.models.decoders import stored
from tabspec.models.decoders.llama import LlamaConfig
from tabspec.models.decoders.llama_model import load_llama
from tabspec.models.files.folder import ModelFolder
from tabspec.models.files.int4 import GroupedMatrix
from tabspec.models.files.weights import Stored, load_llama_state_dict, load_stored
from tabspec.models.load import load_model
from tabspec.models.local.slots import Decoder
from tests import tiny
from tests.unit.decoders.test_llama import TOKENS, theirs
from tests.unit.decoders.test_native import FOUND, LEVELS, far, make

WAYS = ("torch int4", *(f"{level} int4" for level in LEVELS))
SHAPES = {
    "tied": ("llama", {"tie_word_embeddings": True, "hidden_size": 64, "intermediate_size": 100}),
    "untied, with biases": (
        "qwen2",
        {"tie_word_embeddings": False, "hidden_size": 64, "intermediate_size": 100},
    ),
}


@pytest.fixture(scope="module", params=list(SHAPES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matrices of the MLP fill neither their last group of 64 columns nor their last block of 64 rows."""
    model_type, changes = SHAPES[request.param]
    model = tiny.save_model(tmp_path_factory.mktemp("model"), tiny.byte_level(tiny.OURS), model_type, **changes)
    return tiny.in_four_bits(model)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def decoder_of(way: str, folder: Path, weights: Mapping[str, Stored]) -> Decoder:
    shape = LlamaConfig.of(ModelFolder(folder).config)
    assert shape
    return make(way, shape, weights)


def test_logits_are_those_of_transformers_on_the_dequantized_weights(folder: Path, way: str, tmp_path: Path) -> None:
    decoder = decoder_of(way, folder, load_stored(folder / "model.safetensors"))
    weights = load_llama_state_dict(folder / "model.safetensors", torch.float32)
    model_type, changes = next(shape for shape in SHAPES.values() if shape[0] == ModelFolder(folder).model_type)
    plain = tiny.save_model(tmp_path / "plain", tiny.byte_level(tiny.OURS), model_type, **changes)
    assert far(decoder.forward(decoder.new_kv(), TOKENS[:60], 60), theirs(plain, TOKENS[:60], weights)) < 0.1


def test_nothing_is_quantized_again(folder: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the numbers are, to the bit, those of the decoder that rounds the same matrices itself."""
    read = load_stored(folder / "model.safetensors")
    dense = {
        name: weight.dequantized(torch.float32) if isinstance(weight, GroupedMatrix) else weight
        for name, weight in read.items()
    }
    expected = decoder_of(way, folder, dense)

    def never(matrix: torch.Tensor) -> GroupedMatrix:
        raise AssertionError("a matrix in four bits is quantized")

    monkeypatch.setattr(stored, "quantize_groups", never)
    decoder = decoder_of(way, folder, read)
    for count in (1, 3, 40):
        rows = decoder.forward(decoder.new_kv(), TOKENS[:count], count)
        assert np.array_equal(rows, expected.forward(expected.new_kv(), TOKENS[:count], count))


def test_the_file_decides_how_the_weights_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.save_model(tmp_path / "model", tiny.byte_level(tiny.OURS), tie_word_embeddings=True)
    before = load_llama(ModelFolder(folder), "tiny", device="cpu")
    tiny.in_four_bits(folder)
    four = load_llama(ModelFolder(folder), "tiny", device="cpu")
    assert "int4" in four.info.detail and "int4" not in before.info.detail
    if FOUND:
        monkeypatch.setattr("tabspec.models.decoders.llama_model.installed", lambda: (FOUND, FOUND.levels[0]))
        assert "compiled, int4" in load_llama(ModelFolder(folder), "tiny", device="cpu").info.detail


@pytest.mark.parametrize("decoder", ["own", "transformers"])
def test_in_float32_both_decoders_compute_with_the_same_numbers(tmp_path: Path, decoder: str) -> None:
    folder = tiny.save_model(tmp_path / "model", tiny.byte_level(tiny.OURS), tie_word_embeddings=True)
    weights = load_llama_state_dict(tiny.in_four_bits(folder) / "model.safetensors", torch.float32)
    plain = tiny.save_model(tmp_path / "plain", tiny.byte_level(tiny.OURS), tie_word_embeddings=True)
    expected = theirs(plain, TOKENS[:60], weights)
    model = load_model(str(folder), device="cpu", dtype="float32", decoder=decoder)
    found = model.local.decoder  # type: ignore[attr-defined]
    assert far(found.forward(found.new_kv(), TOKENS[:60], 60), expected) < 1e-4
