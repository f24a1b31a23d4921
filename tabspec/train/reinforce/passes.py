"""Passes over rows of tokens, shared by what learns: hidden states, with the keys and values that they are made of."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from tabspec.train.network import Attention, Network, TrainedLayer, rotate

Cache = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer: (rows, heads, length, head)."""


def prefill(network: Network, ids: Tensor) -> tuple[Tensor, Cache]:
    """The last hidden states of the rows, and the keys and values of each layer."""
    cos, sin = network.cos[: ids.shape[1]], network.sin[: ids.shape[1]]
    x = embedded(network, ids)
    cache: Cache = []
    for layer in layers_of(network):
        q, k, v = heads(layer.self_attn, layer.input_layernorm(x), cos, sin)
        cache.append((k, v))
        groups = q.shape[1] // k.shape[1]
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=groups > 1)
        x = x + layer.self_attn.o_proj(out.transpose(1, 2).flatten(2))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return network.model.norm(x), cache


def layers_of(network: Network) -> list[TrainedLayer]:
    """The layers, by their type."""
    return [cast(TrainedLayer, layer) for layer in network.model.layers]


def heads(attention: Attention, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values (rows, heads, length, head) of ``x`` (rows, length, hidden), rotated."""
    size = attention._shape.head
    q, k, v = (
        each(x).view(*x.shape[:2], -1, size).transpose(1, 2)
        for each in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    return rotate(q, cos, sin), rotate(k, cos, sin), v


def embedded(network: Network, ids: Tensor) -> Tensor:
    """The embeddings, in the type of autocast."""
    x: Tensor = network.model.embed_tokens(ids)
    return x.to(torch.get_autocast_dtype(ids.device.type)) if torch.is_autocast_enabled(ids.device.type) else x
