"""Our own decoder for Llama, Qwen2 and Mistral models, in torch. Tests compare its logits with those of transformers.

It decodes single tokens faster than transformers, because a decode step makes fewer and smaller calls. Keys and values
are written into memory that is already allocated. Projections of the same input are one matrix. The query heads that
share a key-value head are rows of one attention call. On a CPU the weights are read as int8 or int4.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tabspec.models.decoders.int4_linear import Int4Linear
from tabspec.models.decoders.stored import dense, in_groups, stacked
from tabspec.models.files.weights import Stored
from tabspec.models.local.logits import Logits
from tabspec.models.machine.devices import cpu_has_bfloat16

# Up to so many rows, int8 weights are used. Measured on two cores (AVX512-BF16): int8 is faster up to 4 rows, bfloat16
# from about 8.
INT8_ROWS = 4
# The memory for keys and values grows by this many positions: once or twice for a typical prompt and its suggestions.
KV_STEP = 512


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """The shape of a model. ``qkv_bias``: as in Qwen2. ``tied``: the output matrix is the embedding."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    positions: int
    rope_theta: float
    norm_eps: float
    tied: bool
    qkv_bias: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> LlamaConfig | None:
        """Read from a ``config.json``. None for an architecture that this decoder does not support."""
        kind = config.get("model_type")
        rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
        sliding = config.get("sliding_window") if kind == "mistral" or config.get("use_sliding_window") else None
        known = (
            kind in ("llama", "qwen2", "mistral")
            and config.get("hidden_act", "silu") == "silu"
            and rope.get("rope_type", rope.get("type", "default")) == "default"
            and rope.get("partial_rotary_factor", 1.0) == 1.0
            and not config.get("attention_bias")
            and not config.get("mlp_bias")
            and not config.get("quantization_config")
        )
        if not known:
            return None
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        positions = config.get("max_position_embeddings", 2048)
        return cls(
            vocabulary=config["vocab_size"],
            hidden=hidden,
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or hidden // heads,
            mlp=config["intermediate_size"],
            positions=min(positions, sliding or positions),  # up to the window, a sliding layer equals a full one
            rope_theta=config.get("rope_theta") or rope.get("rope_theta", 10_000.0),
            norm_eps=config.get("rms_norm_eps", 1e-6),
            tied=bool(config.get("tie_word_embeddings", False)),
            qkv_bias=kind == "qwen2",
        )


class Matrix:
    """A weight of shape (out, in) with an optional bias, in the model's dtype, and on a CPU also in int8 or int4.

    Both copies hold the same numbers, up to the rounding of the dtype. So a token may be computed with either.
    """

    def __init__(
        self, stored: Stored, bias: Tensor | None, dtype: torch.dtype, int8: bool = False, int4: bool = False
    ) -> None:
        self.bias = bias
        self.int8: Tensor | None = None
        self.int4: Int4Linear | None = None
        if int4:
            exact = in_groups(stored)
            self.int4 = Int4Linear(exact)
            # Without bfloat16 in the processor, int4 is faster for any number of rows (AVX2, two threads, 64 rows times
            # 9,728 x 896: 14 ms, not 57). With bfloat16, the bound is that of int8; it was not measured for int4.
            self._int4_rows = INT8_ROWS if cpu_has_bfloat16() else sys.maxsize
            weight = exact.dequantized(dtype)
        elif int8:
            # Rows that were already quantized in this way (those of the bundled model) give the same integers again.
            rows = dense(stored).float()
            self.scale = (rows.abs().amax(1).clamp_min(1e-12) / 127).to(dtype)
            scale = self.scale.float()[:, None]  # rounded, as the kernel reads it
            self.int8 = (rows / scale).round().clamp(-127, 127).to(torch.int8)
            weight = self.int8.float() * scale
        else:
            weight = dense(stored)
        self.weight = weight.to(dtype).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        """The product: ``x`` is (rows, in), the result (rows, out)."""
        if self.int4 is not None and len(x) <= self._int4_rows:
            y = self.int4(x)
        elif self.int8 is not None and len(x) <= INT8_ROWS:
            y = torch._weight_int8pack_mm(x, self.int8, self.scale)
        else:
            return F.linear(x, self.weight, self.bias)
        return y if self.bias is None else y + self.bias

    @property
    def nbytes(self) -> int:
        """The number of bytes that a product with one row reads."""
        if self.int4 is not None:
            return self.int4.nbytes
        return (self.weight if self.int8 is None else self.int8).nbytes


@dataclass(slots=True)
class Layer:
    """The weights of one layer. ``qkv`` and ``gate_up`` are projections of the same input, stacked."""

    norm: Tensor
    qkv: Matrix
    out: Matrix
    mlp_norm: Tensor
    gate_up: Matrix
    down: Matrix


class LlamaKV:
    """Keys and values of one sequence: ``data`` of shape (layers, 2, kv_heads, capacity, head_dim)."""

    __slots__ = ("data", "length")

    def __init__(self, data: Tensor) -> None:
        self.data, self.length = data, 0


@dataclass(frozen=True, slots=True)
class _WriteRange:
    """The positions ``start`` to ``end`` that a pass writes, with their rotations and their attention mask."""

    start: int
    end: int
    cos: Tensor
    sin: Tensor
    mask: Tensor | None


class LlamaDecoder:
    """A `Decoder` for Llama-family weights on one device.

    ``weights`` have the names of transformers. With ``int8`` (CPU, bfloat16), passes of up to `INT8_ROWS` tokens use
    int8 weights. These are quantized here: a scale for each row, rounded to nearest. With ``int4`` (also CPU), matrices
    are in four bits instead (`tabspec.models.files.int4`), except that of the logits (it may be tied to the embedding).
    Those that are in this form already are not quantized.
    """

    def __init__(
        self,
        config: LlamaConfig,
        weights: Mapping[str, Stored],
        *,
        context: int,
        device: torch.device,
        dtype: torch.dtype,
        int8: bool = False,
        int4: bool = False,
    ) -> None:
        self.config, self.device, self.dtype = config, device, dtype
        self.context = min(context, config.positions)

        def get(name: str) -> Tensor:
            return dense(weights[name]).to(device, dtype)

        def matrix(*names: str, bias: bool = False, int4: bool = int4) -> Matrix:
            biases = torch.cat([get(f"{name}.bias") for name in names]) if bias else None
            rows = stacked([weights[f"{name}.weight"] for name in names])
            return Matrix(rows.to(device) if isinstance(rows, Tensor) else rows, biases, dtype, int8, int4)

        def layer(at: str) -> Layer:
            attention, mlp = f"{at}.self_attn", f"{at}.mlp"
            return Layer(
                get(f"{at}.input_layernorm.weight"),
                matrix(*(f"{attention}.{name}_proj" for name in "qkv"), bias=config.qkv_bias),
                matrix(f"{attention}.o_proj"),
                get(f"{at}.post_attention_layernorm.weight"),
                matrix(f"{mlp}.gate_proj", f"{mlp}.up_proj"),
                matrix(f"{mlp}.down_proj"),
            )

        self.layers = [layer(f"model.layers.{i}") for i in range(config.layers)]
        self.norm = get("model.norm.weight")
        self.logits = matrix("model.embed_tokens" if config.tied else "lm_head", int4=False)
        self.embedding = self.logits.weight if config.tied else get("model.embed_tokens.weight")
        self.cos, self.sin = rope(config, self.context, device, dtype)

    def new_kv(self) -> LlamaKV:
        return LlamaKV(self._room(0))

    def truncate(self, kv: LlamaKV, length: int) -> None:
        kv.length = min(kv.length, length)

    @torch.inference_mode()  # `forward` allocates inference tensors: code outside may not write to them
    def copy(self, source: LlamaKV, target: LlamaKV, length: int) -> None:
        if target.data.shape[3] < length:
            target.data = self._room(length)
        target.data[:, :, :, :length] = source.data[:, :, :, :length]
        target.length = length

    def forward(self, kv: LlamaKV, tokens: Sequence[int], want: int) -> Logits:
        return self.forward_batch([(kv, tokens)], want)[0]

    @torch.inference_mode()
    def forward_batch(self, batch: Sequence[tuple[LlamaKV, Sequence[int]]], want: int) -> list[Logits]:
        """As `forward`, for several sequences in one pass, which reads the weights once. Each sequence attends to its
        own keys and values, and must have a KV cache of its own."""
        places = [self._place(kv, len(tokens)) for kv, tokens in batch]
        sizes = [len(tokens) for _, tokens in batch]
        x = self.embedding[torch.tensor([token for _, tokens in batch for token in tokens], device=self.device)]
        for number, layer in enumerate(self.layers):
            qkv = layer.qkv(self._normed(x, layer.norm))
            seen = [
                self._attention(part, kv.data[number], place)
                for part, (kv, _), place in zip(torch.split(qkv, sizes), batch, places, strict=True)
            ]
            x = x + layer.out(seen[0] if len(seen) == 1 else torch.cat(seen))
            gate, up = layer.gate_up(self._normed(x, layer.mlp_norm)).chunk(2, dim=-1)
            x = x + layer.down(F.silu(gate) * up)
        for (kv, _), place in zip(batch, places, strict=True):
            kv.length = place.end
        last = [part[len(part) - want :] for part in torch.split(x, sizes)]
        logits = self.logits(self._normed(last[0] if len(last) == 1 else torch.cat(last), self.norm))
        rows: Logits = logits.float().cpu().numpy()
        return [rows[i * want : (i + 1) * want] for i in range(len(batch))]

    def _place(self, kv: LlamaKV, count: int) -> _WriteRange:
        """The range for the next ``count`` tokens. Allocates memory for them if necessary."""
        start, end = kv.length, kv.length + count
        if kv.data.shape[3] < end:
            grown = self._room(end)
            grown[:, :, :, :start] = kv.data[:, :, :, :start]
            kv.data = grown
        return _WriteRange(start, end, self.cos[start:end, None], self.sin[start:end, None], self._mask(start, count))

    def _attention(self, qkv: Tensor, memory: Tensor, place: _WriteRange) -> Tensor:
        """Self-attention of one sequence's new tokens in one layer. ``qkv`` are their projections, of shape (tokens,
        (heads + 2 kv_heads) * head_dim). Their keys and values are written to ``memory``, the layer's KV cache."""
        shape, count = self.config, len(qkv)
        keys, values = memory
        start, end, group = place.start, place.end, shape.heads // shape.kv_heads
        qkv = qkv.view(count, -1, shape.head_dim)
        turned = qkv[:, : shape.heads + shape.kv_heads]
        first, second = turned.chunk(2, dim=-1)
        turned = turned * place.cos + torch.cat((-second, first), dim=-1) * place.sin
        keys[:, start:end] = turned[:, shape.heads :].transpose(0, 1)
        values[:, start:end] = qkv[:, shape.heads + shape.kv_heads :].transpose(0, 1)
        # The query heads that share a key-value head become rows. Repeating keys and values is several times slower.
        query = turned[:, : shape.heads].view(count, shape.kv_heads, group, shape.head_dim)
        query = query.permute(1, 2, 0, 3).reshape(1, shape.kv_heads, group * count, shape.head_dim)
        seen = F.scaled_dot_product_attention(query, keys[None, :, :end], values[None, :, :end], attn_mask=place.mask)
        seen = seen.view(shape.kv_heads, group, count, shape.head_dim).permute(2, 0, 1, 3)
        return seen.reshape(count, shape.heads * shape.head_dim)

    def _mask(self, start: int, count: int) -> Tensor | None:
        """The attention mask of ``count`` tokens after ``start`` positions, for each query head of a group. None for a
        single token, which attends to all positions."""
        if count == 1:
            return None
        mask = torch.full((count, start + count), -torch.inf, device=self.device, dtype=self.dtype).triu(start + 1)
        return mask.repeat(self.config.heads // self.config.kv_heads, 1)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        """RMS norm in float32, as in transformers."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.config.norm_eps)
        return weight * wide.to(x.dtype)

    def _room(self, length: int) -> Tensor:
        """New memory for the keys and values of at least ``length`` positions."""
        shape = self.config
        capacity = min(-(-max(length, 1) // KV_STEP) * KV_STEP, max(self.context, length))
        return torch.empty(
            shape.layers, 2, shape.kv_heads, capacity, shape.head_dim, device=self.device, dtype=self.dtype
        )


def rope(config: LlamaConfig, positions: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary embedding, each (positions, head_dim). arXiv 2104.09864; a head is rotated as
    two halves."""
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.int64).float() / config.head_dim
    angles = torch.outer(torch.arange(positions).float(), 1.0 / config.rope_theta**exponents)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().to(device, dtype), angles.sin().to(device, dtype)
