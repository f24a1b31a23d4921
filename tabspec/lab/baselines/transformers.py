"""transformers on given weights, as a baseline for tabspec's decoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tabspec.models.decoders.llama import LlamaConfig
from tabspec.models.decoders.transformers_model import TransformersDecoder


def from_weights(
    shape: LlamaConfig, weights: Mapping[str, torch.Tensor], device: torch.device, dtype: torch.dtype
) -> TransformersDecoder:
    """A Llama model of this shape, or a Qwen2 model if the query, key and value projections have a bias.

    Weights that already have the dtype and are on the device are not copied.
    """
    config = AutoConfig.for_model(
        "qwen2" if shape.qkv_bias else "llama",
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=shape.positions,
        rms_norm_eps=shape.norm_eps,
        tie_word_embeddings=shape.tied,
    )
    with torch.device(device):
        model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    own = {name: weight.to(device, dtype) for name, weight in weights.items()}
    model.load_state_dict(own, strict=False, assign=True)
    model.tie_weights()
    return TransformersDecoder(model.to(device).eval(), shape.positions)
