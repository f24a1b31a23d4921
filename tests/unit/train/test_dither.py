"""Rounding at random keeps small changes of weights that were rounded before."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.models.files.quantized import quantize
from tests.examples import examples


@settings(max_examples=examples(30))
@given(st.integers(0, 10_000))
def test_a_quantized_matrix_stays_as_it_is(seed: int) -> None:
    exact = quantize(torch.randn(9, 64, generator=torch.Generator().manual_seed(seed)))
    again = quantize(exact.dequantized(torch.float32), torch.Generator().manual_seed(seed))
    assert torch.equal(again.values, exact.values)


def test_a_change_of_a_fifth_of_a_level_survives_in_the_mean_only_with_dither() -> None:
    exact = quantize(torch.randn(4, 50_000, generator=torch.Generator().manual_seed(1)))
    levels = exact.values.float()
    inner = levels.abs() < 127  # the largest number of a row sets its scale
    changed = (levels + 0.2 * inner) * exact.scale[:, None]
    plain, dithered = quantize(changed), quantize(changed, torch.Generator().manual_seed(2))
    assert torch.equal(plain.values, exact.values)
    moved = (dithered.values.float() - levels)[inner]
    assert set(moved.tolist()) == {0.0, 1.0}
    assert abs(moved.mean().item() - 0.2) < 0.01
