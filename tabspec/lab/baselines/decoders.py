"""The model of `tabspec bench decode`, and two of the baselines: llama.cpp and transformers' ``generate``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file

from tabspec.errors import InputError, ModelNotUsable
from tabspec.lab.baselines.llama_cpp import LlamaCppDecoder, is_installed
from tabspec.lab.converters.gguf import Weights, export_gguf
from tabspec.lab.measuring.decoding import SHAPES, DecoderSpeed, random_weights
from tabspec.models.decoders.llama import LlamaConfig
from tabspec.models.decoders.llama_model import llama_shape, load_weights
from tabspec.models.decoders.transformers_model import TransformersDecoder
from tabspec.models.files.folder import ModelFolder
from tabspec.models.load import BUNDLED, folder_of
from tabspec.models.local.slots import Decoder

# llama.cpp's weight formats that are measured: int8 as in tabspec's decoder, that of the training, and the fastest.
FORMATS = (Weights.Q8_0, Weights.BF16, Weights.Q4_0)
CONTEXT = 2048


@contextmanager
def subject(model: str, shape: str | None) -> Iterator[tuple[Path, LlamaConfig, dict[str, torch.Tensor]]]:
    """Yield the folder, shape and weights to measure.

    With ``shape``, the weights are random, and their folder is removed afterwards. Otherwise they are those of
    ``model``, with at most `CONTEXT` positions. Raises `ModelNotUsable` if tabspec's decoder does not support it.
    """
    if shape is None:
        folder = ModelFolder(folder_of(model))
        found = llama_shape(folder)
        if found is None:
            raise ModelNotUsable(f"{model}: tabspec's decoder does not support the model type {folder.model_type!r}")
        yield folder.path, replace(found, positions=CONTEXT), load_weights(folder)
        return
    size, weights = SHAPES[shape], random_weights(SHAPES[shape])
    with TemporaryDirectory() as at:
        write_folder(Path(at), size, weights)
        yield Path(at), size, weights


def write_folder(folder: Path, shape: LlamaConfig, weights: dict[str, torch.Tensor]) -> None:
    """Write a Llama model with these weights and the bundled model's tokenizer into ``folder``, which must exist."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": shape.tied,
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    copyfile(BUNDLED / "tokenizer.json", folder / "tokenizer.json")
    save_file(weights, folder / "model.safetensors")


@contextmanager
def llama_cpp(folder: Path, threads: int) -> Iterator[dict[str, LlamaCppDecoder]]:
    """Yield llama.cpp's decoders of the model in ``folder``, by name.

    There are none if llama-cpp-python is not installed, if the model cannot be exported, or if ``threads`` is 0.
    """
    if not (threads and is_installed()):
        yield {}
        return
    found: dict[str, LlamaCppDecoder] = {}
    with TemporaryDirectory() as at:
        for weights in FORMATS:
            file = Path(at) / f"{weights}.gguf"
            try:
                export_gguf(folder, file, weights)
            except (InputError, ModelNotUsable):  # the package gguf is missing, or this model cannot be exported
                break
            for flash in (True, False):
                name = f"llama.cpp, {weights}{'' if flash else ', no flash attention'}"
                found[name] = LlamaCppDecoder(file, context=CONTEXT, threads=threads, flash=flash)
    try:
        yield found
    finally:
        for decoder in found.values():
            decoder.close()


def measure_generate(decoder: Decoder, prompt: Sequence[int], steps: int, rounds: int) -> DecoderSpeed:
    """Measure transformers' ``generate`` with greedy decoding.

    The time of a token is the time for ``steps`` + 1 tokens less the time for one, divided by ``steps``.
    """
    assert isinstance(decoder, TransformersDecoder)
    model: Any = decoder.model
    asked = torch.tensor([list(prompt)], device=model.device)

    def seconds(tokens: int) -> float:
        start = time.perf_counter()
        model.generate(
            asked,
            attention_mask=torch.ones_like(asked),
            do_sample=False,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            pad_token_id=0,
        )
        return time.perf_counter() - start

    pairs = [(seconds(1), seconds(steps + 1)) for _ in range(rounds + 1)][1:]
    first = median(one for one, _ in pairs)
    return DecoderSpeed(
        "transformers' generate", 1000 * median((more - one) / steps for one, more in pairs), len(prompt) / first, 0
    )
