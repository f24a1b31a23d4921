"""Our compiled decoder for Llama-family models on CPUs. A whole pass is one call of the library tabspec-native.

Weights are int8 with a scale for each row, or int4 with a scale for each 64 columns of a row, as in
`tabspec.models.decoders.llama`. Activations are rounded to int8 in blocks of 64, so that products are integer sums.
The result of a row does not depend on other rows, on the number of threads, or on the instruction set (among those with
fused multiply-adds). So keys, values and logits are the same to the bit for every grouping of tokens into passes, and a
generation that continues from stored keys and values equals a new one.
"""

from __future__ import annotations

import ctypes
import mmap
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tabspec.errors import ModelNotUsable
from tabspec.models.decoders import native_library as c
from tabspec.models.decoders.llama import KV_STEP, LlamaConfig, rope
from tabspec.models.decoders.stored import dense, in_groups, in_rows, stacked
from tabspec.models.files.int4 import GROUP, GroupedMatrix
from tabspec.models.files.weights import Stored
from tabspec.models.local.logits import Logits
from tabspec.models.local.slots import RowCost

# The marginal cost of a row by instruction set, measured after 600 tokens (25M parameters, two cores). With VNNI in 512
# bits, it is 0.1 of a step up to six rows, and 0.4 for the next two; with AVX2 it is 0.2. AVX-VNNI was not measured: it
# has a value between these.
_ROW_COST = {"amx": RowCost(0.1, 6), "avx512": RowCost(0.1, 6), "avxvnni": RowCost(0.15, 4)}
_SLOW_ROWS = RowCost(0.2, 4)

# Passes of more tokens are divided, so that intermediate results take only a few MiB of memory.
MOST_ROWS = 256


class NativeDecoder:
    """A `Decoder` for Llama-family weights on the CPU, with the library's ``level``.

    ``weights`` have the names of transformers. With ``int4``, the matrices are in four bits, except that of the logits
    (it may be tied to the embedding). Those that are in this form already are not quantized. Keys and values are
    bfloat16 in the library's own layout. The number of threads is that of torch. Raises `ModelNotUsable` for shapes
    that the library cannot run.
    """

    def __init__(
        self,
        config: LlamaConfig,
        weights: Mapping[str, Stored],
        *,
        context: int,
        library: c.NativeLibrary,
        level: str,
        int4: bool = False,
    ) -> None:
        if config.head_dim % 2 or config.head_dim > c.WIDEST_HEAD:
            raise ModelNotUsable(f"tabspec-native cannot run heads of {config.head_dim}")
        self.config, self.library, self.level = config, library, level
        self.context = min(context, config.positions)
        self.row_cost = _ROW_COST.get(level, _SLOW_ROWS)
        self._level = level.encode()
        self._width = _filled(config.head_dim, c.PAIRS)
        self._weights = _NativeWeights(config, weights, self.context, int4)
        self._model = self._weights.model
        self._columns = self._model.logits.rows

    @property
    def nbytes(self) -> int:
        """The bytes of the matrices and their scales. A decode step reads all of them."""
        return self._weights.matrices.used

    def new_kv(self) -> NativeKV:
        return NativeKV(self._room(0))

    def truncate(self, kv: NativeKV, length: int) -> None:
        kv.length = min(kv.length, length)

    def copy(self, source: NativeKV, target: NativeKV, length: int) -> None:
        if target.capacity < length:
            target.move_to(self._room(length), 0)
        whole = _filled(length, c.PACK)  # keys are stored in blocks
        target.data[:, :, :, :whole] = source.data[:, :, :, :whole]
        target.length = length

    def forward(self, kv: NativeKV, tokens: Sequence[int], want: int) -> Logits:
        if len(tokens) > MOST_ROWS:
            return self._in_pieces(kv, tokens, want)
        return self._pass([(kv, tokens)], want)

    def forward_batch(self, batch: Sequence[tuple[NativeKV, Sequence[int]]], want: int) -> list[Logits]:
        """As `forward`, for several sequences in one pass, which reads the weights once."""
        if sum(len(tokens) for _, tokens in batch) > MOST_ROWS:
            return [self.forward(kv, tokens, want) for kv, tokens in batch]
        rows = self._pass(batch, want)
        return [rows[i * want : (i + 1) * want] for i in range(len(batch))]

    def _in_pieces(self, kv: NativeKV, tokens: Sequence[int], want: int) -> Logits:
        rows = []
        for at in range(0, len(tokens), MOST_ROWS):
            piece = tokens[at : at + MOST_ROWS]
            left = len(tokens) - at - len(piece)  # after this piece
            rows.append(self._pass([(kv, piece)], min(max(want - left, 0), len(piece))))
        return np.concatenate(rows)

    def _pass(self, batch: Sequence[tuple[NativeKV, Sequence[int]]], want: int) -> Logits:
        """Run one pass, and return the logits of all sequences. It calls torch only for the number of threads. A pass
        replaces the content of the processor's caches, and each call of torch after it takes some 20 µs."""
        flat: list[int] = []
        sequences = []
        for kv, tokens in batch:
            end = kv.length + len(tokens)
            if end > self.context:
                raise IndexError("a position that the model does not have")
            if end > kv.capacity:
                kv.move_to(self._room(end), _filled(kv.length, c.PACK))
            sequences.append(c.Sequence(kv.address, kv.capacity, kv.length, len(tokens), want))
            flat += tokens
        if flat and not 0 <= min(flat) <= max(flat) < self.config.vocabulary:
            raise IndexError("a token that the model does not have")
        ids = array("i", flat)
        logits = np.empty((len(batch) * want, self._columns), np.float32)
        failed = self.library.forward(
            self._model,
            (c.Sequence * len(batch))(*sequences),
            len(batch),
            ids.buffer_info()[0],
            _address(logits),
            self._level,
            torch.get_num_threads(),
        )
        if failed:
            raise RuntimeError("not enough memory for a pass")
        for kv, tokens in batch:
            kv.length += len(tokens)
        return logits if self._columns == self.config.vocabulary else logits[:, : self.config.vocabulary]

    def _room(self, length: int) -> npt.NDArray[np.uint16]:
        """New memory for the keys and values of at least ``length`` positions."""
        shape = self.config
        capacity = _filled(max(length, 1), KV_STEP)
        return np.empty((shape.layers, 2, shape.kv_heads, capacity, self._width), np.uint16)


class NativeKV:
    """Keys and values of one sequence: ``length`` positions are used, of the ``capacity`` that are allocated.

    ``data`` is bfloat16 in the library's layout (abi.h)."""

    __slots__ = ("address", "capacity", "data", "length")

    def __init__(self, data: npt.NDArray[np.uint16]) -> None:
        self.length = 0
        self._hold(data)

    def move_to(self, data: npt.NDArray[np.uint16], kept: int) -> None:
        """Use the memory ``data`` from now on, after copying the first ``kept`` positions to it."""
        data[:, :, :, :kept] = self.data[:, :, :, :kept]
        self._hold(data)

    def _hold(self, data: npt.NDArray[np.uint16]) -> None:
        self.data, self.address, self.capacity = data, _address(data), data.shape[3]


class _NativeWeights:
    """A model's weights in the library's layout. It keeps the memory alive to which the pointers refer."""

    def __init__(self, shape: LlamaConfig, weights: Mapping[str, Stored], context: int, int4: bool) -> None:
        self._held: list[Tensor | ctypes.Array[c.NativeLayer]] = []

        def rows(*names: str) -> Stored:
            return stacked([weights[f"{name}.weight"] for name in names])

        def vector(name: str) -> Tensor:
            return self._hold(dense(weights[name]).float().contiguous())

        wide, narrow = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        mlp = _filled(shape.mlp, c.BLOCK)
        sizes = [
            (wide + 2 * narrow, shape.hidden),
            (shape.hidden, wide),
            (2 * mlp, shape.hidden),
            (shape.hidden, shape.mlp),
        ]
        room = shape.layers * sum(_bytes(*size, int4) for size in sizes)
        self.matrices = _Arena(room + _bytes(shape.vocabulary, shape.hidden, int4=False))
        put = self._four_bits if int4 else self._eight_bits

        def layer(at: str) -> c.NativeLayer:
            attention, ends = f"{at}.self_attn", [f"{at}.mlp.gate_proj", f"{at}.mlp.up_proj"]
            qkv = [f"{attention}.{name}_proj" for name in "qkv"]
            bias = torch.cat([dense(weights[f"{name}.bias"]).float() for name in qkv]) if shape.qkv_bias else None
            return c.NativeLayer(
                put(rows(*qkv), bias),
                put(rows(f"{attention}.o_proj")),
                put(_woven(*(weights[f"{name}.weight"] for name in ends))),
                put(rows(f"{at}.mlp.down_proj")),
                _floats(vector(f"{at}.input_layernorm.weight")),
                _floats(vector(f"{at}.post_attention_layernorm.weight")),
            )

        layers = (c.NativeLayer * shape.layers)(*(layer(f"model.layers.{i}") for i in range(shape.layers)))
        self._held.append(layers)
        cosines, sines = (
            self._hold(table[:, : shape.head_dim // 2].contiguous())
            for table in rope(shape, context, torch.device("cpu"), torch.float32)
        )
        embedding = None
        if not shape.tied:
            table = self._hold(dense(weights["model.embed_tokens.weight"]).to(torch.bfloat16).contiguous())
            embedding = ctypes.cast(table.data_ptr(), ctypes.POINTER(ctypes.c_uint16))
        self.model = c.NativeModel(
            shape.vocabulary,
            shape.hidden,
            shape.layers,
            shape.heads,
            shape.kv_heads,
            shape.head_dim,
            shape.mlp,
            shape.norm_eps,
            _floats(cosines),
            _floats(sines),
            layers,
            _floats(vector("model.norm.weight")),
            self._eight_bits(rows("model.embed_tokens" if shape.tied else "lm_head")),
            embedding,
        )

    def _eight_bits(self, weight: Stored, bias: Tensor | None = None) -> c.NativeMatrix:
        exact = in_rows(weight)
        count, columns = exact.values.shape
        rows, width = _filled(count, c.PACK), _filled(columns, c.BLOCK)
        values = torch.full((rows, width), 128, dtype=torch.uint8)
        values[:count, :columns] = (exact.values.short() + 128).to(torch.uint8)
        packed = self.matrices.take(rows * width)
        packed.view(rows // c.PACK, width // 4, c.PACK, 4).copy_(
            values.view(rows // c.PACK, c.PACK, width // 4, 4).transpose(1, 2)
        )
        scale = self._hold(_filled_up(exact.scale, rows))
        return c.NativeMatrix(_pointer(packed), _floats(scale), None, self._bias(bias, rows), rows, width)

    def _four_bits(self, weight: Stored, bias: Tensor | None = None) -> c.NativeMatrix:
        exact = in_groups(weight)
        count, columns = exact.values.shape
        rows, width = _filled(count, c.PACK), _filled(columns, c.BLOCK)
        packs, blocks = rows // c.PACK, width // c.BLOCK
        values = torch.full((rows, width), 8, dtype=torch.uint8)
        values[:count, :columns] = (exact.values + 8).view(torch.uint8)
        # Four columns at a time. Of each 64, the first 32 are in the low four bits of the bytes, the others in the
        # high ones.
        words = values.view(torch.int32).view(packs, c.PACK, blocks, 2, c.BLOCK // 8)
        low, high = words.permute(3, 0, 2, 4, 1)
        packed = self.matrices.take(rows * width // 2)
        torch.add(low, high, alpha=16, out=packed.view(torch.int32).view(low.shape))
        scale = self.matrices.take(_filled(rows * blocks * 2, c.BLOCK)).view(torch.bfloat16)
        by_pack = _filled_up(exact.scale, rows).view(packs, c.PACK, blocks).transpose(1, 2)
        scale[: rows * blocks].view(by_pack.shape).copy_(by_pack)
        halves = ctypes.cast(scale.data_ptr(), ctypes.POINTER(ctypes.c_uint16))
        return c.NativeMatrix(_pointer(packed), None, halves, self._bias(bias, rows), rows, width)

    def _bias(self, bias: Tensor | None, rows: int) -> ctypes._Pointer[ctypes.c_float] | None:
        return None if bias is None else _floats(self._hold(_filled_up(bias, rows)))

    def _hold(self, tensor: Tensor) -> Tensor:
        self._held.append(tensor)
        return tensor


class _Arena:
    """One block of memory for all matrices, in large pages if the system has them. With pages of 4 KiB, a decode step
    would touch more pages than fit in the processor's TLB."""

    def __init__(self, size: int) -> None:
        self._memory = mmap.mmap(-1, max(size, 1))
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        self._bytes = torch.frombuffer(self._memory, dtype=torch.uint8)
        self.used = 0

    def take(self, size: int) -> Tensor:
        self.used += size
        return self._bytes[self.used - size : self.used]


def _woven(gate: Stored, up: Stored) -> Stored:
    """The rows of two matrices, padded with zeros, in blocks of `BLOCK` rows that alternate."""
    if isinstance(gate, GroupedMatrix) and isinstance(up, GroupedMatrix):
        return GroupedMatrix(_woven_rows(gate.values, up.values), _woven_rows(gate.scale, up.scale))
    return _woven_rows(dense(gate), dense(up))


def _woven_rows(gate: Tensor, up: Tensor) -> Tensor:
    fill = _filled(len(gate), c.BLOCK) - len(gate)
    both = [torch.nn.functional.pad(rows, (0, 0, 0, fill)).view(-1, c.BLOCK, rows.shape[1]) for rows in (gate, up)]
    return torch.stack(both, 1).flatten(0, 2)


def _filled_up(numbers: Tensor, rows: int) -> Tensor:
    """``numbers`` as float32, padded with zeros to ``rows`` rows."""
    filled = torch.zeros(rows, *numbers.shape[1:])
    filled[: len(numbers)] = numbers
    return filled


def _bytes(rows: int, columns: int, int4: bool) -> int:
    """The number of bytes that a matrix takes in the arena."""
    rows, columns = _filled(rows, c.PACK), _filled(columns, c.BLOCK)
    if not int4:
        return rows * columns
    return rows * columns // 2 + _filled(rows * columns // GROUP * 2, c.BLOCK)


def _address(numbers: npt.NDArray[Any]) -> int:
    """The address of an array's data. After a pass, this is some 20 µs faster than the array's attribute `ctypes`."""
    address: int = numbers.__array_interface__["data"][0]
    return address


def _pointer(tensor: Tensor) -> ctypes._Pointer[ctypes.c_uint8]:
    return ctypes.cast(tensor.data_ptr(), ctypes.POINTER(ctypes.c_uint8))


def _floats(tensor: Tensor) -> ctypes._Pointer[ctypes.c_float]:
    return ctypes.cast(tensor.data_ptr(), ctypes.POINTER(ctypes.c_float))


def _filled(number: int, step: int) -> int:
    return -(-number // step) * step
