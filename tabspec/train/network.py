"""The network that is trained: a Llama in plain torch, with the parameter names of transformers' Llama.

It trains faster than transformers' Llama, because it is one compiled graph without a cache or masks. It has the state
dict of transformers' Llama, so transformers can load it and converters can read it. A test compares the logits of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tabspec.errors import InputError
from tabspec.train.examples.parts import Part
from tabspec.train.goals import SpecialIds

# torch.compile cannot compare tensors with members of an enumeration
_PREFIX, _FIRST_TAG = int(Part.PREFIX), int(Part.TAG_STAYS)


@dataclass(frozen=True, slots=True)
class Shape:
    """The architecture. Input and output embeddings are tied. Each head has ``head`` dimensions.

    The default is that of the bundled model: 29.6 million parameters, 28 MiB in int8. The reasons are in
    docs/decisions/2026-11-23-bundled-model.md. Its context is more than enough for a full window (870 tokens), two
    pieces of related code (530) and the output.
    """

    vocabulary: int = 8192
    hidden: int = 512
    layers: int = 9
    heads: int = 8
    kv_heads: int = 2
    mlp: int = 1408
    context: int = 2048
    head: int = 64
    rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads or self.head % 2 or min(asdict(self).values()) <= 0:
            raise InputError(f"not a possible model shape: {self}")

    def with_kv_heads(self, kv_heads: int) -> Shape:
        """This shape with another number of key-value heads, and nearly as many parameters.

        The MLP gets the parameters that the keys and values lose, or loses those that they get. Its width stays a
        multiple of 32, for the kernels of decoders. So the size changes by less than 1 %.
        """
        # A layer's keys and values have two matrices of hidden * head parameters a head; an MLP has three of hidden.
        wider = 2 * self.head * (self.kv_heads - kv_heads) / 3
        return replace(self, kv_heads=kv_heads, mlp=32 * round((self.mlp + wider) / 32))

    @property
    def kv_bytes(self) -> int:
        """Bytes of the keys and values of a token, in 16 bits."""
        return 2 * 2 * self.layers * self.kv_heads * self.head

    def as_llama_config(self, special: Mapping[str, int]) -> dict[str, Any]:
        """``config.json`` for transformers. ``special`` holds the ids of the end-of-middle and the pad token."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "intermediate_size": self.mlp,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head,
            "hidden_act": "silu",
            "max_position_embeddings": self.context,
            "rms_norm_eps": self.norm_epsilon,
            "rope_theta": self.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": special["eom"],
            "pad_token_id": special["pad"],
            "dtype": "bfloat16",
        }

    @classmethod
    def from_llama_config(cls, config: Mapping[str, Any]) -> Shape:
        """The shape in a ``config.json``. Raises `InputError` for another architecture."""
        if config.get("model_type") != "llama" or not config.get("tie_word_embeddings"):
            raise InputError("only Llama models with tied embeddings can be tuned")
        rope = config.get("rope_parameters") or {}
        try:
            heads = int(config["num_attention_heads"])
            return cls(
                vocabulary=int(config["vocab_size"]),
                hidden=int(config["hidden_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=heads,
                kv_heads=int(config.get("num_key_value_heads") or heads),
                mlp=int(config["intermediate_size"]),
                context=int(config["max_position_embeddings"]),
                head=int(config.get("head_dim") or config["hidden_size"] // heads),
                rope_theta=float(config.get("rope_theta") or rope.get("rope_theta") or 10_000.0),
                norm_epsilon=float(config.get("rms_norm_eps", 1e-5)),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(f"config.json does not describe a Llama model: {error!r}") from error


class Norm(nn.Module):
    """Root-mean-square normalisation with a learned gain."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self._epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight.float(), self._epsilon).to(x.dtype)


class Attention(nn.Module):
    """Causal self-attention with grouped keys and values and rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape
        wide, narrow = shape.heads * shape.head, shape.kv_heads * shape.head
        self.q_proj = nn.Linear(shape.hidden, wide, bias=False)
        self.k_proj = nn.Linear(shape.hidden, narrow, bias=False)
        self.v_proj = nn.Linear(shape.hidden, narrow, bias=False)
        self.o_proj = nn.Linear(wide, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, length, _ = x.shape
        s = self._shape
        q = self.q_proj(x).view(rows, length, s.heads, s.head).transpose(1, 2)
        k = self.k_proj(x).view(rows, length, s.kv_heads, s.head).transpose(1, 2)
        v = self.v_proj(x).view(rows, length, s.kv_heads, s.head).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=s.heads != s.kv_heads)
        result: Tensor = self.o_proj(out.transpose(1, 2).reshape(rows, length, s.heads * s.head))
        return result


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions to ``x`` (rows, heads, length, head). A pair has one element of each half, as in Llama."""
    first, second = x.float().chunk(2, dim=-1)
    turned = torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return turned.to(x.dtype)


class Mlp(nn.Module):
    """Gated feed-forward block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.mlp, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.mlp, bias=False)
        self.down_proj = nn.Linear(shape.mlp, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return result


class TrainedLayer(nn.Module):
    """A layer: attention and feed-forward block. Each has a norm before it, and adds to the residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = Mlp(shape)
        self.input_layernorm = Norm(shape.hidden, shape.norm_epsilon)
        self.post_attention_layernorm = Norm(shape.hidden, shape.norm_epsilon)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        result: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return result


class Body(nn.Module):
    """Embedding, layers, last norm (``model`` in transformers' names)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(TrainedLayer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.hidden, shape.norm_epsilon)


class Network(nn.Module):
    """The whole network. Embedding and output share their weights."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        # in fp64, because the angles of late positions need its precision
        steps = torch.arange(0, shape.head, 2, dtype=torch.float64) / shape.head
        angles = torch.arange(shape.context, dtype=torch.float64)[:, None] * shape.rope_theta**-steps
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Small normal weights. Weights that write to the residual stream are scaled down by depth, as in GPT-2."""
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                scale = 0.02
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    scale /= (2 * self.shape.layers) ** 0.5
                nn.init.normal_(weight, std=scale)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (rows, length, vocabulary) of token ids (rows, length), length at most ``shape.context``."""
        return F.linear(self.hidden(ids), self.model.embed_tokens.weight)

    def hidden(self, ids: Tensor) -> Tensor:
        """The last hidden states, normalised: (rows, length, hidden)."""
        length = ids.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        x = self.model.embed_tokens(ids)
        if torch.is_autocast_enabled(ids.device.type):
            x = x.to(torch.get_autocast_dtype(ids.device.type))
        for layer in self.model.layers:
            x = layer(x, cos, sin)
        result: Tensor = self.model.norm(x)
        return result

    def choices(self, states: Tensor, parts: Tensor, special: SpecialIds) -> Tensor:
        """Logits (goals, vocabulary) of last hidden states (goals, hidden). What a goal's part excludes has -inf.

        Within a prefix, the text certainly continues: ``<|eom|>`` is excluded. A tag is one of three tokens.
        """
        logits = F.linear(states, self.model.embed_tokens.weight).float()
        tokens = torch.arange(self.shape.vocabulary, device=states.device)
        stays, changes, inserts = special.tags
        no_tag = (tokens != stays) & (tokens != changes) & (tokens != inserts)
        prefix, tag = (parts == _PREFIX)[:, None], (parts >= _FIRST_TAG)[:, None]
        return logits.masked_fill((prefix & (tokens == special.end)) | (tag & no_tag), -torch.inf)
