"""Weights in four bits: the integers and the scale of each group, for random matrices."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.decoders.int4_linear import Int4Linear
from tabspec.models.files.int4 import GROUP, HIGHEST, LOWEST, GroupedMatrix, quantize_groups

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 3 * GROUP))


def random_matrix(size: tuple[int, int], seed: int) -> torch.Tensor:
    """Groups of very different sizes; some of a few numbers only, with zeros elsewhere."""
    random = torch.Generator().manual_seed(seed)
    matrix = torch.randn(size, generator=random) * torch.randn(size[0], 1, generator=random).mul(5).exp()
    return matrix * (torch.rand(size, generator=random) < torch.rand(size[0], 1, generator=random))


def steps(exact: GroupedMatrix) -> torch.Tensor:
    """The scale of each number."""
    return exact.scale.float().repeat_interleave(GROUP, 1)[:, : exact.values.shape[1]]


@given(SIZES, st.integers(0, 9999))
def test_unclipped_weights_are_off_by_half_a_step_at_most(size: tuple[int, int], seed: int) -> None:
    matrix = random_matrix(size, seed)
    exact = quantize_groups(matrix)
    assert exact.values.shape == matrix.shape
    assert exact.values.min() >= LOWEST and exact.values.max() <= HIGHEST
    exactly = matrix / steps(exact)
    clipped = exactly.clamp(LOWEST, HIGHEST)
    # Half a step, and the last digit of a division in float32.
    assert ((exact.values - clipped).abs() <= 0.5 + 1e-5).all()
    assert torch.allclose(exact.dequantized(torch.float32), exact.values * steps(exact))


@given(SIZES, st.integers(0, 9999))
def test_errors_are_no_larger_than_with_fixed_scales(size: tuple[int, int], seed: int) -> None:
    """The largest number as -8, and as -7: scales that are tried, so that the error of each group bounds ours."""
    matrix = random_matrix(size, seed)
    groups = torch.nn.functional.pad(matrix, (0, -size[1] % GROUP)).view(size[0], -1, GROUP)
    ours = quantize_groups(matrix).dequantized(torch.float32)
    errors = torch.nn.functional.pad(ours - matrix, (0, -size[1] % GROUP)).view_as(groups).norm(dim=2)
    largest = groups.gather(2, groups.abs().argmax(2, keepdim=True))
    for level in (-8, -7):
        scale = torch.where(largest == 0, 1.0, largest / level).to(torch.bfloat16).float()
        plain = (groups / scale).round().clamp(LOWEST, HIGHEST) * scale
        assert (errors <= (plain - groups).norm(dim=2) * (1 + 1e-5)).all()


@given(SIZES, st.integers(0, 9999))
def test_a_matrix_of_representable_weights_is_unchanged(size: tuple[int, int], seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    values = torch.randint(LOWEST, HIGHEST + 1, size, generator=random)
    starts = range(0, size[1], GROUP)
    for at in starts:  # a group's largest is 7 or 8: a scale of 5 levels might as well be a coarser one of 7
        values[:, at] = torch.tensor([LOWEST, HIGHEST, -HIGHEST])[torch.randint(0, 3, (size[0],), generator=random)]
    scale = torch.randn(size[0], len(starts), generator=random).to(torch.bfloat16)
    matrix = GroupedMatrix(values.to(torch.int8), scale).dequantized(torch.float32)
    assert torch.equal(quantize_groups(matrix).dequantized(torch.float32), matrix)


@given(SIZES, st.integers(0, 9999))
def test_quantizing_twice_changes_nothing(size: tuple[int, int], seed: int) -> None:
    once = quantize_groups(random_matrix(size, seed)).dequantized(torch.float32)
    assert torch.equal(quantize_groups(once).dequantized(torch.float32), once)


@given(SIZES, st.integers(0, 9999))
def test_groups_and_rows_are_quantized_independently(size: tuple[int, int], seed: int) -> None:
    matrix = random_matrix(size, seed)
    whole = quantize_groups(matrix)
    for number, at in enumerate(range(0, size[1], GROUP)):
        for row in range(size[0]):
            alone = quantize_groups(matrix[row : row + 1, at : at + GROUP])
            assert torch.equal(alone.values[0], whole.values[row, at : at + GROUP])
            assert torch.equal(alone.scale[0, 0], whole.scale[row, number])


def test_zeros_infinities_and_nans_are_quantized() -> None:
    matrix = torch.zeros(3, 2 * GROUP)
    matrix[1, 3], matrix[2, GROUP] = torch.nan, torch.inf
    back = quantize_groups(matrix).dequantized(torch.float32)
    assert torch.equal(back[0], matrix[0])
    assert back[1, :GROUP].isnan().all() and torch.equal(back[1, GROUP:], matrix[1, GROUP:])
    assert back[2, GROUP:].isnan().all() and torch.equal(back[2, :GROUP], matrix[2, :GROUP])


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 3 * GROUP)),
    st.integers(1, 9),
    st.integers(0, 9999),
)
def test_torchs_kernel_multiplies_by_the_dequantized_weights(size: tuple[int, int], rows: int, seed: int) -> None:
    """Sums of integers up to 8 times up to 8, with scales that are powers of two: exact in float32, and so in any
    order; the one rounding is that of the result to bfloat16."""
    random = torch.Generator().manual_seed(seed)
    groups = -(-size[1] // GROUP)
    values = torch.randint(LOWEST, HIGHEST + 1, size, generator=random).to(torch.int8)
    scale = torch.randint(-2, 3, (size[0], groups), generator=random).exp2().to(torch.bfloat16)
    matrix = GroupedMatrix(values, scale)
    x = torch.randint(-8, 9, (rows, size[1]), generator=random).to(torch.bfloat16)
    expected = (x.float() @ matrix.dequantized(torch.float32).t()).to(torch.bfloat16)
    assert torch.equal(Int4Linear(matrix)(x), expected)


def test_weights_take_little_more_than_four_bits_each() -> None:
    matrix = Int4Linear(quantize_groups(torch.randn(64, 8 * GROUP)))
    assert matrix.nbytes == pytest.approx(64 * 8 * GROUP * 4.5 / 8)  # scale and zero: 32 bits for 64 numbers
