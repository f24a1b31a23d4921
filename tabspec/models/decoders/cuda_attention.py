"""Triton kernels for the attention of a decode step: the rotary embedding, writing keys and values, the attention."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from tabspec.models.decoders.cuda_table import CAPACITY, END, MEMORY, POSITION, ROW_FIELDS, TRUNK

_LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def _address(table, row, FIELD: tl.constexpr, like):
    """The address in a row's ``FIELD``, as a pointer of ``like``'s type. Allocations are aligned to 512 bytes."""
    return tl.multiple_of(tl.load(table + row * ROW_FIELDS + FIELD), 128).to(tl.pointer_type(like.dtype.element_ty))


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
    """Applies the rotary embedding to queries and keys, and writes keys and values to the row's place.

    ``HALF`` is half of ``DIM``, or the next power of two.
    """
    row, head = tl.program_id(0), tl.program_id(1)
    at = tl.arange(0, HALF)
    there = at < DIM // 2
    source = qkv + (row * (HEADS + 2 * KV_HEADS) + head) * DIM + at
    first = tl.load(source, mask=there, other=0.0)
    second = tl.load(source + DIM // 2, mask=there, other=0.0)
    if head < HEADS + KV_HEADS:
        position = tl.load(table + row * ROW_FIELDS + POSITION)
        # The two halves of a row of cosines are equal, so the first is enough.
        c = tl.load(cos + position * DIM + at, mask=there, other=0.0).to(tl.float32)
        s = tl.load(sin + position * DIM + at, mask=there, other=0.0).to(tl.float32)
        one, two = first.to(tl.float32), second.to(tl.float32)
        first = (one * c - two * s).to(query.dtype.element_ty)
        second = (two * c + one * s).to(query.dtype.element_ty)
    if head < HEADS:
        target = query + (row * HEADS + head) * DIM + at
    else:
        # Heads are in the order queries, keys, values. Keys go to plane 2 * layer of the memory, values to the next.
        capacity = tl.load(table + row * ROW_FIELDS + CAPACITY)
        place = tl.load(table + row * ROW_FIELDS + END) - 1
        plane = 2 * layer * KV_HEADS + (head - HEADS)
        target = _address(table, row, MEMORY, query) + (plane * capacity + place) * DIM + at
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
    """Attention of all query heads of one key-value head to a part of the positions. `_merge_kernel` joins the parts.

    The trunk is cut into ``TRUNK_PARTS`` parts. Each is read once, for the queries of all rows. Each row's tail is cut
    into ``TAIL_PARTS``. ``QUERIES``: at least the queries of a program. ``WIDE``: ``DIM`` or the next power of two.
    """
    kv_head, piece = tl.program_id(0), tl.program_id(1)
    head = tl.arange(0, QUERIES)
    trunk = piece < TRUNK_PARTS
    # Trunk and tails share this code. The pieces of the trunk are numbered first, then those of each row's tail.
    only = tl.where(trunk, 0, (piece - TRUNK_PARTS) // TAIL_PARTS)
    cut = tl.where(trunk, piece, (piece - TRUNK_PARTS) % TAIL_PARTS)
    slot = tl.where(trunk, piece, TRUNK_PARTS + cut)
    pieces = tl.where(trunk, TRUNK_PARTS, TAIL_PARTS)
    row = tl.where(trunk, head // GROUP, only)
    own = head < tl.where(trunk, ROWS * GROUP, GROUP)
    fields = table + only * ROW_FIELDS
    capacity = tl.load(fields + CAPACITY)
    low = tl.where(trunk, 0, tl.load(fields + TRUNK))
    high = tl.where(trunk, tl.load(fields + TRUNK), tl.load(fields + END))
    base = _address(table, only, MEMORY, query)
    blocks = tl.cdiv(
        tl.cdiv(high - low, BLOCK), pieces
    )  # a part is a number of whole blocks, so some parts may be empty
    start = low + cut * blocks * BLOCK
    end = tl.minimum(start + blocks * BLOCK, high)
    dim = tl.arange(0, WIDE)
    whole = dim < DIM
    at = row * (KV_HEADS * GROUP) + kv_head * GROUP + head % GROUP  # the query's number over all rows
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
        # The compiler knows nothing about addresses from a table. Without these hints it reads two bytes at a time.
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
    """Joins the parts of one query head, each weighted by the sum of its softmax. ``ROOM``: at least ``PARTS``."""
    at = tl.program_id(0)
    piece = tl.arange(0, ROOM)
    there = piece < PARTS
    dim = tl.arange(0, WIDE)
    most = tl.load(part_max + at * PARTS + piece, mask=there, other=float("-inf"))
    weight = tl.exp2(most - tl.max(most, 0))  # an empty part has the maximum -inf, and so the weight 0
    total = tl.sum(weight * tl.load(part_sum + at * PARTS + piece, mask=there, other=0.0), 0)
    mask = there[:, None] & (dim < DIM)[None, :]
    seen = tl.load(part + (at * PARTS + piece)[:, None] * DIM + dim[None, :], mask=mask, other=0.0)
    result = tl.sum(seen * weight[:, None], 0) / total
    tl.store(out + at * DIM + dim, result.to(out.dtype.element_ty), mask=dim < DIM)


def turn(
    table: Tensor, qkv: Tensor, cos: Tensor, sin: Tensor, query: Tensor, layer: int, heads: int, kv_heads: int
) -> None:
    """Apply the rotary embedding, and write keys and values to each row's place and queries to ``query`` (rows, heads *
    dim)."""
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
    """Attention of a step's rows to a shared trunk (in ``trunk_parts`` parts) and to their own tails (``tail_parts``).

    It owns the memory for the results of the parts.
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
        """Write the attention of ``query`` to ``out``; both are (rows, heads * dim)."""
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
