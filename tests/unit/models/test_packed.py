"""Files of weights in four bits: what is read is what was written, to the bit."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tabspec.errors import InputError, ModelNotUsable
from tabspec.models.files.int4 import GROUP, HIGHEST, LOWEST, GroupedMatrix, quantize_groups
from tabspec.models.files.quantized import QuantizedMatrix, quantize
from tabspec.models.files.weights import INT4, is_quantized, load_llama_state_dict, load_stored
from tabspec.train.weights.saving import save_quantized
from tests.examples import examples

NAME = "model.layers.0.mlp.up_proj.weight"
EMBEDDING = "model.embed_tokens.weight"


@settings(max_examples=examples(50))
@given(st.integers(1, 5), st.integers(1, GROUP + 3), st.integers(0, 9999))
def test_a_file_holds_the_integers_and_scales_of_the_matrix(rows: int, pairs: int, seed: int) -> None:
    matrix = torch.randn(rows, 2 * pairs, generator=torch.Generator().manual_seed(seed))
    expected = quantize_groups(matrix)
    with tempfile.TemporaryDirectory() as folder:
        save_quantized({NAME: matrix}, Path(folder) / "w.safetensors", bits=4)
        read = load_stored(Path(folder) / "w.safetensors")[NAME]
    assert isinstance(read, GroupedMatrix)
    assert torch.equal(read.values, expected.values) and read.values.dtype == torch.int8
    assert torch.equal(read.scale, expected.scale) and read.scale.dtype == torch.bfloat16


def test_all_levels_are_packed(tmp_path: Path) -> None:
    """Every pair of neighbouring levels, at its place in the byte that the format names."""
    levels = torch.arange(LOWEST, HIGHEST + 1)
    pairs = torch.cartesian_prod(levels, levels).flatten().view(-1, GROUP)
    save_quantized({NAME: pairs.float() / 4}, tmp_path / "w.safetensors", bits=4)
    read = load_stored(tmp_path / "w.safetensors")[NAME]
    assert isinstance(read, GroupedMatrix)
    assert torch.equal(read.dequantized(torch.float32), pairs / 4)
    stored = load_file(tmp_path / "w.safetensors")[NAME]
    assert int(stored[0, 1]) == int(read.values[0, 2]) + 8 + 16 * (int(read.values[0, 3]) + 8)


def test_the_embedding_has_eight_bits_and_gains_have_all(tmp_path: Path) -> None:
    weights = {EMBEDDING: torch.randn(9, 6), "model.norm.weight": torch.rand(6), NAME: torch.randn(4, 6)}
    path = tmp_path / "w.safetensors"
    save_quantized(weights, path, bits=4)
    assert is_quantized(path)
    read = load_stored(path)
    table = read[EMBEDDING]
    assert isinstance(table, QuantizedMatrix)
    assert torch.equal(table.values, quantize(weights[EMBEDDING]).values)
    dequantized = load_llama_state_dict(path, torch.float32)
    assert torch.equal(dequantized["model.norm.weight"], weights["model.norm.weight"])
    assert torch.equal(dequantized[NAME], quantize_groups(weights[NAME]).dequantized(torch.float32))
    assert set(dequantized) == set(weights)


def test_what_is_read_and_written_again_is_the_same(tmp_path: Path) -> None:
    """So that training can go on from a file in four bits, and exporting it loses nothing."""
    matrix = torch.randn(64, 4 * GROUP, generator=torch.Generator().manual_seed(1))
    save_quantized({NAME: matrix}, tmp_path / "one", bits=4)
    once = load_llama_state_dict(tmp_path / "one", torch.float32)
    save_quantized(once, tmp_path / "two", bits=4)
    assert torch.equal(load_llama_state_dict(tmp_path / "two", torch.float32)[NAME], once[NAME])


def test_an_odd_number_of_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="odd number of columns"):
        save_quantized({NAME: torch.randn(2, 3)}, tmp_path / "w.safetensors", bits=4)


@pytest.mark.parametrize(
    "tensors",
    [
        {NAME: torch.zeros(2, 32, dtype=torch.uint8)},
        {NAME: torch.zeros(2, 32, dtype=torch.uint8), NAME + ".scale": torch.ones(2, 2, dtype=torch.bfloat16)},
        {NAME: torch.zeros(2, 64, dtype=torch.int8), NAME + ".scale": torch.ones(3)},
        {NAME: torch.zeros(2, 64)},
    ],
)
def test_broken_files_are_refused(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "w.safetensors"
    save_file(tensors, path, {"format": INT4})
    with pytest.raises(ModelNotUsable, match=r"up_proj.*has not the type or the scales"):
        load_stored(path)
