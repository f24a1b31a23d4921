"""The operations of a decode step as Triton kernels: what torch does with many launches, in nine a layer.

A step has few rows (tokens of one sequence, or one token each of some branches), so that it waits for memory and for
launches, not for arithmetic. Everything that changes from step to step (lengths, places in memory) is read from device
memory, so that a captured CUDA graph stays right: see the layout of `StepRow`.

Run on a CPU by Triton's interpreter (``TRITON_INTERPRET=1``), the same code is tested without a GPU.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor


class StepRow(IntEnum):
    """Fields of a row of the step's table (int64, shape (rows, `FIELDS`)).

    A row is a token that is run. It looks at ``TRUNK_LENGTH`` positions of the trunk, which all rows of a step share,
    and at the positions ``TAIL_FROM`` to ``TAIL_TO`` - 1 of its tail, of which the last is its own and is written by
    the step. ``POSITION`` is where it stands in its sequence (for the rotary embedding). Trunk and tail are memory of
    shape (layers, 2, kv_heads, capacity, head_dim), told by address and capacity.
    """

    TOKEN = 0
    POSITION = 1
    TRUNK = 2
    TRUNK_CAPACITY = 3
    TRUNK_LENGTH = 4
    TAIL = 5
    TAIL_CAPACITY = 6
    TAIL_FROM = 7
    TAIL_TO = 8


FIELDS = len(StepRow)
_POSITION, _TOKEN = tl.constexpr(StepRow.POSITION.value), tl.constexpr(StepRow.TOKEN.value)
_TRUNK, _TRUNK_CAPACITY = tl.constexpr(StepRow.TRUNK.value), tl.constexpr(StepRow.TRUNK_CAPACITY.value)
_TRUNK_LENGTH = tl.constexpr(StepRow.TRUNK_LENGTH.value)
_TAIL, _TAIL_CAPACITY = tl.constexpr(StepRow.TAIL.value), tl.constexpr(StepRow.TAIL_CAPACITY.value)
_TAIL_FROM, _TAIL_TO = tl.constexpr(StepRow.TAIL_FROM.value), tl.constexpr(StepRow.TAIL_TO.value)
_FIELDS = tl.constexpr(FIELDS)
_LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def _embed_kernel(table, embedding, out, hidden, BLOCK: tl.constexpr):
    row, part = tl.program_id(0), tl.program_id(1)
    token = tl.load(table + row * _FIELDS + _TOKEN)
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
    normed = (wide * scale).to(out.dtype.element_ty)  # rounded here as transformers does, then multiplied
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
    """out (rows, wide) = x (rows, deep) times weight (wide, deep) transposed, for some outputs.

    ``BIAS``: plus a bias. ``ADD``: added to what ``out`` holds. ``GLU``: weight has gates in its first half and values
    in its second, and silu(gate) * value is written.
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
    """As `_rows_kernel` for a single row: no matrix units, many small programs with few outputs each."""
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


@triton.jit
def _address(table, row, FIELD: tl.constexpr, like):
    """The memory that a row of the table names, as a pointer of ``like``'s type; allocations are aligned to 512."""
    return tl.multiple_of(tl.load(table + row * _FIELDS + FIELD), 128).to(tl.pointer_type(like.dtype.element_ty))


@triton.jit(do_not_specialize=["layer"])
def _turn_kernel(
    table,
    qkv,
    cos,
    sin,
    query,
    layer,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    DIM: tl.constexpr,
    HALF: tl.constexpr,
):
    """Turns queries and keys to their position (rotary embedding), and writes keys and values to the row's tail.

    ``HALF`` is half of ``DIM``, or the next power of two.
    """
    row, head = tl.program_id(0), tl.program_id(1)
    at = tl.arange(0, HALF)
    there = at < DIM // 2
    source = qkv + (row * (HEADS + 2 * KV_HEADS) + head) * DIM + at
    first = tl.load(source, mask=there, other=0.0)
    second = tl.load(source + DIM // 2, mask=there, other=0.0)
    if head < HEADS + KV_HEADS:
        position = tl.load(table + row * _FIELDS + _POSITION)
        # The two halves of a row of cosines are equal.
        c = tl.load(cos + position * DIM + at, mask=there, other=0.0).to(tl.float32)
        s = tl.load(sin + position * DIM + at, mask=there, other=0.0).to(tl.float32)
        one, two = first.to(tl.float32), second.to(tl.float32)
        first = (one * c - two * s).to(query.dtype.element_ty)
        second = (two * c + one * s).to(query.dtype.element_ty)
    if head < HEADS:
        target = query + (row * HEADS + head) * DIM + at
    else:
        # Heads behind the queries' are keys, then values: with the layout of the memory, plane 2 * layer and the next.
        capacity = tl.load(table + row * _FIELDS + _TAIL_CAPACITY)
        place = tl.load(table + row * _FIELDS + _TAIL_TO) - 1
        plane = 2 * layer * KV_HEADS + (head - HEADS)
        target = _address(table, row, _TAIL, query) + (plane * capacity + place) * DIM + at
    tl.store(target, first, mask=there)
    tl.store(target + DIM // 2, second, mask=there)


@triton.jit(do_not_specialize=["layer"])
def _attend_kernel(
    table,
    query,
    part,
    part_max,
    part_sum,
    layer,
    scale,
    ROWS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    DIM: tl.constexpr,
    WIDE: tl.constexpr,
    TRUNK_PARTS: tl.constexpr,
    TAIL_PARTS: tl.constexpr,
    QUERIES: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Attention of all query heads of a key-value head to a stretch of positions; `_merge_kernel` puts these together.

    The trunk is cut into ``TRUNK_PARTS`` stretches, each read once for the queries of all rows; each row's tail into
    ``TAIL_PARTS``. ``QUERIES``: room for the queries of a program. ``WIDE``: ``DIM`` or the next power of two.
    """
    kv_head, piece = tl.program_id(0), tl.program_id(1)
    head = tl.arange(0, QUERIES)
    trunk = piece < TRUNK_PARTS
    # One program's code for both: which stretch of what, by arithmetic (a tail's piece counts from the trunk's on).
    only = tl.where(trunk, 0, (piece - TRUNK_PARTS) // TAIL_PARTS)
    cut = tl.where(trunk, piece, (piece - TRUNK_PARTS) % TAIL_PARTS)
    slot = tl.where(trunk, piece, TRUNK_PARTS + cut)
    pieces = tl.where(trunk, TRUNK_PARTS, TAIL_PARTS)
    row = tl.where(trunk, head // GROUP, only)
    own = head < tl.where(trunk, ROWS * GROUP, GROUP)
    fields = table + only * _FIELDS
    address = tl.where(trunk, tl.load(fields + _TRUNK), tl.load(fields + _TAIL))
    capacity = tl.where(trunk, tl.load(fields + _TRUNK_CAPACITY), tl.load(fields + _TAIL_CAPACITY))
    low = tl.where(trunk, 0, tl.load(fields + _TAIL_FROM))
    high = tl.where(trunk, tl.load(fields + _TRUNK_LENGTH), tl.load(fields + _TAIL_TO))
    base = tl.multiple_of(address, 128).to(tl.pointer_type(query.dtype.element_ty))
    blocks = tl.cdiv(tl.cdiv(high - low, BLOCK), pieces)  # a stretch is whole blocks, so that some may be empty
    start = low + cut * blocks * BLOCK
    end = tl.minimum(start + blocks * BLOCK, high)
    dim = tl.arange(0, WIDE)
    whole = dim < DIM
    at = row * (KV_HEADS * GROUP) + kv_head * GROUP + head % GROUP  # which query, over all rows
    q = tl.load(query + at[:, None] * DIM + dim[None, :], mask=own[:, None] & whole[None, :], other=0.0)
    keys = base + (2 * layer * KV_HEADS + kv_head) * capacity * DIM
    values = keys + KV_HEADS * capacity * DIM
    most = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    seen = tl.zeros((QUERIES, WIDE), tl.float32)
    for first in range(start, end, BLOCK):
        place = first + tl.arange(0, BLOCK)
        inside = place < end
        mask = inside[:, None] & whole[None, :]
        # Addresses that come out of a table could be any: without this they are read two bytes at a time.
        along = tl.multiple_of(place[:, None] * DIM + dim[None, :], [1, 8])
        k = tl.load(tl.multiple_of(keys + along, [1, 16]), mask=mask, other=0.0)
        score = tl.where(inside[None, :], tl.dot(q, tl.trans(k)) * (scale * _LOG2E), float("-inf"))
        higher = tl.maximum(most, tl.max(score, 1))
        weight = tl.exp2(score - higher[:, None])
        kept = tl.exp2(most - higher)
        v = tl.load(tl.multiple_of(values + along, [1, 16]), mask=mask, other=0.0)
        total = total * kept + tl.sum(weight, 1)
        seen = tl.dot(weight.to(v.dtype), v, seen * kept[:, None])
        most = higher
    at = at * (TRUNK_PARTS + TAIL_PARTS) + slot
    tl.store(part_max + at, most, mask=own)
    tl.store(part_sum + at, total, mask=own)
    tl.store(part + at[:, None] * DIM + dim[None, :], seen, mask=own[:, None] & whole[None, :])


@triton.jit
def _merge_kernel(
    part, part_max, part_sum, out, DIM: tl.constexpr, WIDE: tl.constexpr, PARTS: tl.constexpr, ROOM: tl.constexpr
):
    """Puts the stretches of one query head together, each by its softmax's sum. ``ROOM`` >= ``PARTS``."""
    at = tl.program_id(0)
    piece = tl.arange(0, ROOM)
    there = piece < PARTS
    dim = tl.arange(0, WIDE)
    most = tl.load(part_max + at * PARTS + piece, mask=there, other=float("-inf"))
    weight = tl.exp2(most - tl.max(most, 0))  # an empty stretch has -inf, and weighs nothing
    total = tl.sum(weight * tl.load(part_sum + at * PARTS + piece, mask=there, other=0.0), 0)
    mask = there[:, None] & (dim < DIM)[None, :]
    seen = tl.load(part + (at * PARTS + piece)[:, None] * DIM + dim[None, :], mask=mask, other=0.0)
    result = tl.sum(seen * weight[:, None], 0) / total
    tl.store(out + at * DIM + dim, result.to(out.dtype.element_ty), mask=dim < DIM)


def embed(table: Tensor, embedding: Tensor, out: Tensor) -> None:
    """out[i] = embedding[the token of row i]."""
    rows, hidden = out.shape
    _embed_kernel[(rows, triton.cdiv(hidden, 1024))](table, embedding, out, hidden, BLOCK=1024)


def norm(x: Tensor, weight: Tensor, eps: float, out: Tensor) -> None:
    """RMS norm of each row of ``x`` (rows, hidden)."""
    rows, hidden = x.shape
    block = triton.next_power_of_2(hidden)
    _norm_kernel[(rows,)](x, weight, out, hidden, eps, BLOCK=block, num_warps=8 if block >= 2048 else 4)


def glu(both: Tensor, out: Tensor) -> None:
    """silu(gate) * value, the two halves of ``both`` (rows, 2 * wide)."""
    rows, wide = out.shape
    _glu_kernel[(rows, triton.cdiv(wide, 1024))](both, out, wide, BLOCK=1024)


# (outputs a program, inputs a turn, warps, turns that are loaded ahead): those worth trying on a Hopper GPU. More bytes
# in flight hide more of the memory's delay, more programs balance better over 132 processors.
ROWS_CHOICES = ((16, 256, 4, 4), (16, 512, 4, 3), (32, 128, 4, 5), (64, 128, 4, 4))
SINGLE_CHOICES = ((1, 2048, 4, 1), (2, 1024, 4, 1), (4, 1024, 4, 1), (8, 512, 8, 1))


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
    """``x`` (rows, in) times ``weight`` (out, in), at most 16 rows; ``add``: added to ``out``; ``gated``: silu(first
    half) times second half. ``single`` is for one row. ``choice`` is of `ROWS_CHOICES` or `SINGLE_CHOICES`."""
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


def turn(
    table: Tensor, qkv: Tensor, cos: Tensor, sin: Tensor, query: Tensor, layer: int, heads: int, kv_heads: int
) -> None:
    """Rotary embedding of queries and keys; keys and values go to each row's tail. ``query``: (rows, heads * dim)."""
    rows, dim = qkv.shape[0], qkv.shape[1] // (heads + 2 * kv_heads)
    _turn_kernel[(rows, heads + 2 * kv_heads)](
        table,
        qkv,
        cos,
        sin,
        query,
        layer,
        HEADS=heads,
        KV_HEADS=kv_heads,
        DIM=dim,
        HALF=triton.next_power_of_2(dim // 2),
        num_warps=1,
    )


class TrunkAttention:
    """Attention of a step's rows to a shared trunk (``trunk_parts`` stretches) and to a tail each (``tail_parts``).

    Holds the memory between its two kernels.
    """

    def __init__(
        self, rows: int, heads: int, kv_heads: int, dim: int, trunk_parts: int, tail_parts: int, device: torch.device
    ) -> None:
        if dim % 8:
            raise ValueError(f"a head of {dim} numbers is no whole number of 16-byte loads")
        self._shape = rows, heads, kv_heads, dim
        self._parts = trunk_parts, tail_parts
        pieces = trunk_parts + tail_parts
        self._part = torch.empty(rows * heads * pieces, dim, device=device, dtype=torch.float32)
        self._max = torch.empty(rows * heads * pieces, device=device, dtype=torch.float32)
        self._sum = torch.empty_like(self._max)

    def __call__(self, table: Tensor, query: Tensor, layer: int, out: Tensor) -> None:
        """``query`` and ``out``: (rows, heads * dim)."""
        rows, heads, kv_heads, dim = self._shape
        trunk, tail = self._parts
        group = heads // kv_heads
        wide = max(triton.next_power_of_2(dim), 16)
        queries = max(triton.next_power_of_2(group * (rows if trunk else 1)), 16)
        _attend_kernel[(kv_heads, trunk + rows * tail)](
            table,
            query,
            self._part,
            self._max,
            self._sum,
            layer,
            dim**-0.5,
            ROWS=rows,
            KV_HEADS=kv_heads,
            GROUP=group,
            DIM=dim,
            WIDE=wide,
            TRUNK_PARTS=trunk,
            TAIL_PARTS=tail,
            QUERIES=queries,
            BLOCK=64,
            num_warps=4,
            num_stages=3,
        )
        _merge_kernel[(rows * heads,)](
            self._part,
            self._max,
            self._sum,
            out,
            DIM=dim,
            WIDE=wide,
            PARTS=trunk + tail,
            ROOM=triton.next_power_of_2(trunk + tail),
            num_warps=4,
        )
