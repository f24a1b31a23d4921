"""Triton kernels for the operations of a decode step. A layer needs nine launches, where torch needs many more.

A step has few rows (tokens of one sequence or of several). So its time is spent on memory and on launches, not on
arithmetic. All values that change between steps (lengths, addresses) are read from device memory, so that a captured
CUDA graph stays valid. `tabspec.models.decoders.cuda_table.StepRow` is their layout.

Triton's interpreter (``TRITON_INTERPRET=1``) runs the same code on a CPU, so that it is tested without a GPU.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from tabspec.models.decoders.cuda_table import ROW_FIELDS, TOKEN


@triton.jit
def _embed_kernel(table, embedding, out, hidden, BLOCK: tl.constexpr):
    row, part = tl.program_id(0), tl.program_id(1)
    token = tl.load(table + row * ROW_FIELDS + TOKEN)
    at = part * BLOCK + tl.arange(0, BLOCK)
    there = at < hidden
    tl.store(out + row * hidden + at, tl.load(embedding + token * hidden + at, mask=there), mask=there)


@triton.jit
def _norm_kernel(x, weight, out, hidden, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    there = at < hidden
    wide = tl.load(x + row * hidden + at, mask=there, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(wide * wide, 0) / hidden + eps)
    gain = tl.load(weight + at, mask=there, other=0.0)
    normed = (wide * scale).to(out.dtype.element_ty)  # rounded before the product, as in transformers
    tl.store(out + row * hidden + at, (gain * normed).to(out.dtype.element_ty), mask=there)


@triton.jit(do_not_specialize=["rows"])
def _rows_kernel(
    x,
    weight,
    bias,
    out,
    rows,
    wide,
    deep,
    GLU: tl.constexpr,
    BIAS: tl.constexpr,
    ADD: tl.constexpr,
    ROWS: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
):
    """out (rows, wide) = x (rows, deep) times weight (wide, deep) transposed. A program computes ``BN`` columns.

    ``BIAS``: a bias is added. ``ADD``: the result is added to ``out``. ``GLU``: the first half of weight gives gates,
    the second half gives values, and silu(gate) * value is written.
    """
    across = tl.program_id(0) * BN + tl.arange(0, BN)
    there = across < wide
    row = tl.arange(0, ROWS)
    along = tl.arange(0, BK)
    at = weight + across.to(tl.int64)[:, None] * deep
    total = tl.zeros((ROWS, BN), tl.float32)
    second = tl.zeros((ROWS, BN), tl.float32)
    for start in range(0, deep, BK):
        k = start + along
        inside = k < deep
        xs = tl.load(x + row[:, None] * deep + k[None, :], mask=(row[:, None] < rows) & inside[None, :], other=0.0)
        mask = there[:, None] & inside[None, :]
        ws = tl.load(at + k[None, :], mask=mask, other=0.0, eviction_policy="evict_first")
        total = tl.dot(xs, tl.trans(ws), total)
        if GLU:
            vs = tl.load(
                at + wide.to(tl.int64) * deep + k[None, :], mask=mask, other=0.0, eviction_policy="evict_first"
            )
            second = tl.dot(xs, tl.trans(vs), second)
    if BIAS:
        total += tl.load(bias + across, mask=there, other=0.0).to(tl.float32)[None, :]
    if GLU:
        total = total / (1.0 + tl.exp(-total)) * second
    target = out + row[:, None] * wide + across[None, :]
    mask = (row[:, None] < rows) & there[None, :]
    if ADD:
        total += tl.load(target, mask=mask, other=0.0).to(tl.float32)
    tl.store(target, total.to(out.dtype.element_ty), mask=mask)


@triton.jit
def _single_kernel(
    x,
    weight,
    bias,
    out,
    wide,
    deep,
    GLU: tl.constexpr,
    BIAS: tl.constexpr,
    ADD: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
):
    """As `_rows_kernel` for a single row: without matrix units, in many small programs with few outputs each."""
    across = tl.program_id(0) * BN + tl.arange(0, BN)
    there = across < wide
    along = tl.arange(0, BK)
    at = weight + across.to(tl.int64)[:, None] * deep
    total = tl.zeros((BN, BK), tl.float32)
    second = tl.zeros((BN, BK), tl.float32)
    for start in range(0, deep, BK):
        k = start + along
        inside = k < deep
        xs = tl.load(x + k, mask=inside, other=0.0).to(tl.float32)[None, :]
        mask = there[:, None] & inside[None, :]
        total += xs * tl.load(at + k[None, :], mask=mask, other=0.0, eviction_policy="evict_first").to(tl.float32)
        if GLU:
            below = at + wide.to(tl.int64) * deep + k[None, :]
            second += xs * tl.load(below, mask=mask, other=0.0, eviction_policy="evict_first").to(tl.float32)
    result = tl.sum(total, 1)
    if BIAS:
        result += tl.load(bias + across, mask=there, other=0.0).to(tl.float32)
    if GLU:
        result = result / (1.0 + tl.exp(-result)) * tl.sum(second, 1)
    if ADD:
        result += tl.load(out + across, mask=there, other=0.0).to(tl.float32)
    tl.store(out + across, result.to(out.dtype.element_ty), mask=there)


@triton.jit
def _glu_kernel(both, out, wide, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there = at < wide
    gate = tl.load(both + row * 2 * wide + at, mask=there, other=0.0).to(tl.float32)
    value = tl.load(both + row * 2 * wide + wide + at, mask=there, other=0.0).to(tl.float32)
    tl.store(out + row * wide + at, (gate / (1.0 + tl.exp(-gate)) * value).to(out.dtype.element_ty), mask=there)


def embed(table: Tensor, embedding: Tensor, out: Tensor) -> None:
    """Write the embedding of each row's token to ``out``."""
    rows, hidden = out.shape
    _embed_kernel[(rows, triton.cdiv(hidden, 1024))](table, embedding, out, hidden, BLOCK=1024)


def norm(x: Tensor, weight: Tensor, eps: float, out: Tensor) -> None:
    """Write the RMS norm of each row of ``x`` (rows, hidden) to ``out``."""
    rows, hidden = x.shape
    block = triton.next_power_of_2(hidden)
    _norm_kernel[(rows,)](x, weight, out, hidden, eps, BLOCK=block, num_warps=8 if block >= 2048 else 4)


def glu(both: Tensor, out: Tensor) -> None:
    """Write silu(gate) * value to ``out``. The two halves of ``both`` (rows, 2 * wide) are gate and value."""
    rows, wide = out.shape
    _glu_kernel[(rows, triton.cdiv(wide, 1024))](both, out, wide, BLOCK=1024)


def matrix(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    out: Tensor,
    *,
    add: bool = False,
    gated: bool = False,
    single: bool,
    choice: tuple[int, int, int, int],
) -> None:
    """Write ``x`` (rows, in) times ``weight`` (out, in) to ``out``, for at most 16 rows. ``add``: add it to ``out``.
    ``gated``: write silu(first half) times second half. ``single``: use the kernel for one row. ``choice``: outputs of
    a program, inputs of an iteration, warps, iterations loaded in advance."""
    rows, deep = x.shape
    wide = out.shape[1]
    across, along, warps, stages = choice
    grid = (triton.cdiv(wide, across),)
    common: dict[str, Any] = {"GLU": gated, "BIAS": bias is not None, "ADD": add, "BN": across, "BK": along}
    common |= {"num_warps": warps, "num_stages": stages}
    held = weight if bias is None else bias
    if single:
        _single_kernel[grid](x, weight, held, out, wide, deep, **common)
    else:
        _rows_kernel[grid](x, weight, held, out, rows, wide, deep, ROWS=16, **common)
