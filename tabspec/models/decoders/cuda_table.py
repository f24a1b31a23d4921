"""The fields of the table that describes a decode step's rows on a GPU, for Python and for the kernels."""

from __future__ import annotations

from enum import IntEnum

import triton.language as tl


class StepRow(IntEnum):
    """Fields of a row of the step's table (int64, shape (rows, `FIELDS`)).

    A row is one token that the step computes. The *trunk* is memory with the keys and values that all rows of the step
    attend to: its first ``TRUNK_LENGTH`` positions. The *tail* is the memory of the row's own sequence: the row attends
    to the positions ``TAIL_FROM`` to ``TAIL_TO`` - 1. The last one is the row's own, which the step writes.
    ``POSITION`` is the token's position in the sequence (for the rotary embedding). Trunk and tail have the shape
    (layers, 2, kv_heads, capacity, head_dim), and are given by address and capacity.
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
POSITION, TOKEN = tl.constexpr(StepRow.POSITION.value), tl.constexpr(StepRow.TOKEN.value)
TRUNK, TRUNK_CAPACITY = tl.constexpr(StepRow.TRUNK.value), tl.constexpr(StepRow.TRUNK_CAPACITY.value)
TRUNK_LENGTH = tl.constexpr(StepRow.TRUNK_LENGTH.value)
TAIL, TAIL_CAPACITY = tl.constexpr(StepRow.TAIL.value), tl.constexpr(StepRow.TAIL_CAPACITY.value)
TAIL_FROM, TAIL_TO = tl.constexpr(StepRow.TAIL_FROM.value), tl.constexpr(StepRow.TAIL_TO.value)
ROW_FIELDS = tl.constexpr(FIELDS)
