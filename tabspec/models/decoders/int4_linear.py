"""Products with a matrix in four bits, by torch's kernel for CPUs. Used for int4 without tabspec-native."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tabspec.models.files.int4 import GROUP, LOWEST, GroupedMatrix

# torch packs rows in groups of 16: `_convert_weight_to_int4pack_for_cpu` refuses other numbers.
_ROWS = 16


class Int4Linear:
    """``matrix`` in the layout of torch's kernel, padded with zeros to sizes that the kernel accepts."""

    def __init__(self, matrix: GroupedMatrix) -> None:
        self._rows, self._columns = matrix.values.shape
        down, right = -self._rows % _ROWS, -self._columns % GROUP
        stored = F.pad(matrix.values.int(), (0, right, 0, down)) - LOWEST  # the kernel subtracts 8 again
        self._packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(stored, 1)
        scale = F.pad(matrix.scale, (0, 0, 0, down)).t()
        self._scale_and_zero = torch.stack((scale, torch.zeros_like(scale)), dim=-1).contiguous()

    @property
    def nbytes(self) -> int:
        """The number of bytes that a product reads."""
        return int(self._packed.nbytes + self._scale_and_zero.nbytes)

    def __call__(self, x: Tensor) -> Tensor:
        """The product in bfloat16, with float32 sums: ``x`` is (rows, in), the result (rows, out)."""
        wide = F.pad(x, (0, -self._columns % GROUP))
        y: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(wide, self._packed, GROUP, self._scale_and_zero)
        return y[:, : self._rows]
