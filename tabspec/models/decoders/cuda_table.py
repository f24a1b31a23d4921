"""The fields of the table that describes a decode step's rows on a GPU, for Python and for the kernels."""

from __future__ import annotations

from enum import IntEnum

import triton.language as tl


class StepRow(IntEnum):
    """Fields of a row of the step's table (int64, shape (rows, `FIELDS`)).

    A row is one token that the step computes, and attends to the positions up to ``END`` - 1 of its sequence. The last
    one is the row's own, which the step writes. The first ``TRUNK`` positions are the *trunk*: all rows of a step with
    a trunk are of one sequence, so they are read once. The others are the row's *tail*. ``POSITION`` is the token's
    position in the sequence (for the rotary embedding). ``MEMORY``, the address of the sequence's keys and values, has
    the shape (layers, 2, kv_heads, ``CAPACITY``, head_dim).
    """

    TOKEN = 0
    POSITION = 1
    MEMORY = 2
    CAPACITY = 3
    TRUNK = 4
    END = 5


FIELDS = len(StepRow)
POSITION, TOKEN = tl.constexpr(StepRow.POSITION.value), tl.constexpr(StepRow.TOKEN.value)
MEMORY, CAPACITY = tl.constexpr(StepRow.MEMORY.value), tl.constexpr(StepRow.CAPACITY.value)
TRUNK, END = tl.constexpr(StepRow.TRUNK.value), tl.constexpr(StepRow.END.value)
ROW_FIELDS = tl.constexpr(FIELDS)
