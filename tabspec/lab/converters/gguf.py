"""Exports a model as a GGUF file, for llama.cpp and the programs that use it (Ollama, LM Studio).

It converts Llama models with a byte-level tokenizer: the bundled model, and the models that `tabspec train` makes. For
other models, use llama.cpp's own converter. The layout and names are those of ggml's gguf.md and of llama.cpp's
convert_hf_to_gguf.py. The `gguf` package writes the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabspec.errors import InputError, ModelNotUsable
from tabspec.models.files.folder import ModelFolder, load_tokenizer
from tabspec.prompt.fim import FimFormat

if TYPE_CHECKING:
    import gguf
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]


class Weights(StrEnum):
    """How weights are stored. Norms are always float32."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    Q8_0 = "q8_0"  # blocks of 32 int8 with one scale each: the closest to tabspec's int8
    Q4_0 = "q4_0"  # the same with four bits, rounded to nearest


# llama.cpp selects a pre-tokenizer by name. None of them keeps a line end and the indentation after it in one piece, as
# tabspec's does. So tokens with line ends are stored as user-defined tokens, which llama.cpp finds before it splits a
# text. For all other text, this pre-tokenizer is the closest (measured: docs/guide/servers.md).
PRE_TOKENIZER = "qwen2"
_LINE_ENDS = re.compile(r"\s*[\r\n]+[ \t]*")

_TENSORS = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
_LAYER_TENSORS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def export_gguf(source: Path, target: Path, weights: Weights = Weights.Q8_0, name: str = "") -> None:
    """Write the model in the folder ``source`` to the file ``target``. ``name``: the model's name in the file.

    Raises `ModelNotUsable` for a model that cannot be converted, `InputError` if the package `gguf` is missing.
    """
    if find_spec("gguf") is None:
        raise InputError("GGUF needs the package gguf; run: pip install 'tabspec[gguf]'")
    import gguf

    folder = ModelFolder(source)
    if folder.model_type != "llama":
        raise ModelNotUsable(f"{source} is a {folder.model_type} model; llama.cpp's own converter is for those")
    aside = target.with_name(target.name + ".partial")
    writer = gguf.GGUFWriter(aside, "llama")
    writer.add_name(name or f"tabspec-{source.resolve().name}")
    _add_shape(writer, folder)
    _add_tokenizer(writer, folder)
    writer.add_file_type(getattr(gguf.LlamaFileType, ("ALL_" if weights is Weights.F32 else "MOSTLY_") + weights.name))
    kind = gguf.GGMLQuantizationType[weights.name]
    for tensor, values in _tensors(folder):
        stored = kind if values.ndim > 1 else gguf.GGMLQuantizationType.F32
        blocks = (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0)
        if stored in blocks and values.shape[-1] % 32:  # a row is stored in blocks of 32
            stored = gguf.GGMLQuantizationType.F16
        writer.add_tensor(tensor, gguf.quants.quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    aside.replace(target)


def _add_shape(writer: gguf.GGUFWriter, folder: ModelFolder) -> None:
    config = folder.config
    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or config["hidden_size"] // heads)
    rope = config.get("rope_parameters") or {}
    if (rope.get("rope_type") or "default") != "default" or config.get("rope_scaling"):
        raise ModelNotUsable(f"{folder.path} has scaled rotary positions; llama.cpp's own converter is for those")
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.get("num_key_value_heads") or heads))
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(config.get("rope_theta") or rope.get("rope_theta") or 10_000.0))
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps", 1e-6)))
    writer.add_vocab_size(int(config["vocab_size"]))


def _add_tokenizer(writer: gguf.GGUFWriter, folder: ModelFolder) -> None:
    import gguf

    spec = json.loads(folder.tokenizer_json())
    vocabulary, form = load_tokenizer(folder.tokenizer_json(), folder.model_type, str(folder.path))
    if not any(token["type"] == "ByteLevel" for token in _steps(spec)):
        raise ModelNotUsable(f"{folder.path}: its tokenizer is not byte-level; llama.cpp's own converter is for those")
    size = int(folder.config["vocab_size"])
    by_id = {number: token for token, number in vocabulary.ids.items()}
    tokens, kinds = [], []
    for number in range(size):
        token = by_id.get(number, f"[PAD{number}]")
        kind = gguf.TokenType.NORMAL if number in by_id else gguf.TokenType.UNUSED
        if number in vocabulary.control:
            kind = gguf.TokenType.CONTROL
        elif number in by_id and _LINE_ENDS.fullmatch(text := _text(vocabulary.bytes_of[number])):
            token, kind = text, gguf.TokenType.USER_DEFINED  # stored as plain text, not in GPT-2's byte alphabet
        tokens.append(token)
        kinds.append(kind)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in spec["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    for key, number in _special(form, vocabulary.ids, folder.config).items():
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", number)


def _special(form: FimFormat, ids: dict[str, int], config: dict[str, Any]) -> dict[str, int]:
    """The ids of the special tokens: end, padding, begin, and the markers that llama.cpp's /infill inserts."""
    middle = form.middle or "<|mid|>"  # the bundled model has this marker for prefix-first prompts
    named = {"fim_pre": form.prefix, "fim_suf": form.suffix, "fim_mid": middle, "fim_sep": form.file}
    found = {key: ids[token] for key, token in named.items() if token in ids}
    for key, field in (("eos", "eos_token_id"), ("padding", "pad_token_id"), ("bos", "bos_token_id")):
        if isinstance(config.get(field), int):
            found[key] = config[field]
    return found


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _steps(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pre = spec.get("pre_tokenizer") or {}
    yield from pre.get("pretokenizers") or [pre]


def _tensors(folder: ModelFolder) -> Iterator[tuple[str, Array]]:
    """The values of all tensors, with llama.cpp's names."""
    config = folder.config
    heads = int(config["num_attention_heads"])
    kv_heads = int(config.get("num_key_value_heads") or heads)
    for name, values in _weights(folder):
        place, _, part = name.rpartition(".")
        layer = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", place)
        known = _LAYER_TENSORS.get(layer[2]) if layer else _TENSORS.get(place)
        if known is None or part != "weight":
            raise ModelNotUsable(f"{folder.path}: unknown tensor {name}; llama.cpp's own converter may know it")
        turning = {"attn_q": heads, "attn_k": kv_heads}.get(known)
        stored = _paired(values, turning) if turning else values
        yield (f"blk.{layer[1]}.{known}.weight" if layer else f"{known}.weight"), stored


def _weights(folder: ModelFolder) -> Iterator[tuple[str, Array]]:
    """Name and values of each tensor of the folder. Output weights are left out if they are tied to the embedding."""
    import torch
    from safetensors.torch import load_file

    from tabspec.models.files.weights import is_quantized, load_llama_state_dict

    tied = folder.config.get("tie_word_embeddings")
    for file in folder.weights:
        read = load_llama_state_dict(file, torch.float32) if tied or is_quantized(file) else load_file(file)
        for name, values in read.items():
            yield name, values.float().numpy()


def _paired(values: Array, heads: int) -> Array:
    """The rows of each head in llama.cpp's order for rotary positions: the two rows of a pair are neighbours. In
    Hugging Face's order, the rows of a pair are in different halves of the head."""
    rows, width = values.shape
    return values.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)
