"""Reads and writes model folders, for tabspec, for transformers, and for converters to GGUF."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from tabspec.errors import InputError
from tabspec.models.files.ngram_table import DRAFTS
from tabspec.models.files.weights import load_llama_state_dict
from tabspec.train.examples.tokenizer import EOM, PAD, load_tokenizer, special_id
from tabspec.train.network import Network, Shape
from tabspec.train.weights.saving import save_quantized, save_tensors

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"


def export_model(
    weights: Mapping[str, Tensor],
    shape: Shape,
    tokenizer: Path,
    out: Path,
    bits: int = 8,
    dither: torch.Generator | None = None,
) -> None:
    """Write the model folder ``out``: config.json, tokenizer.json and model.safetensors.

    The table of draft tokens is copied if it is in the folder of ``tokenizer``. ``bits``: 4 or 8, which only tabspec
    reads, or 16 (bf16), which transformers reads, too. ``dither``, for 8 bits: see
    `tabspec.models.files.quantized.quantize`. The folder is written under a
    temporary name and renamed. An existing folder is replaced only if it is a model folder. Raises `InputError` if
    weights are missing, are not finite, or cannot be written.
    """
    _check(weights, shape)
    if out.exists() and any(out.iterdir()) and not (out / CONFIG).is_file():
        raise InputError(f"{out}: is not empty and not a model; give another folder")
    aside = out.with_name(out.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        tokens = load_tokenizer(tokenizer)
        special = {"eom": special_id(tokens, EOM), "pad": special_id(tokens, PAD)}
        (aside / CONFIG).write_text(json.dumps(shape.as_llama_config(special), indent=2) + "\n", encoding="utf-8")
        shutil.copyfile(tokenizer, aside / TOKENIZER)
        if (drafts := tokenizer.parent / DRAFTS).is_file():  # the table has token ids of this tokenizer
            shutil.copyfile(drafts, aside / DRAFTS)
        if bits in (4, 8):
            save_quantized(weights, aside / WEIGHTS, bits=bits, dither=dither)
        else:
            half = {name: weight.to(torch.bfloat16) for name, weight in weights.items()}
            save_tensors(half, aside / WEIGHTS, {"format": "pt"})
        if out.exists():
            for extra in out.glob("*.md"):  # a model card is kept
                if not (aside / extra.name).exists():
                    shutil.copyfile(extra, aside / extra.name)
            shutil.rmtree(out)
        aside.replace(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def load_model(folder: Path) -> tuple[dict[str, Tensor], Shape, Tokenizer]:
    """The weights (float32), shape and tokenizer of a model folder. Raises `InputError` if it cannot be loaded."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: not a model folder: {error}") from error
    shape = Shape.from_llama_config(config)
    tokenizer = load_tokenizer(folder / TOKENIZER)
    weights = load_llama_state_dict(folder / WEIGHTS, torch.float32)
    _check(weights, shape)
    return weights, shape, tokenizer


def _check(weights: Mapping[str, Tensor], shape: Shape) -> None:
    with torch.device("meta"):
        expected = {name: tuple(weight.shape) for name, weight in Network(shape).state_dict().items()}
    for name, size in expected.items():
        if name not in weights or tuple(weights[name].shape) != size:
            found = tuple(weights[name].shape) if name in weights else "nothing"
            raise InputError(f"the weights are of another architecture: {name} should be {size}, is {found}")
        if not bool(torch.isfinite(weights[name]).all()):
            raise InputError(f"the weights are broken: {name} holds values that are not numbers")
