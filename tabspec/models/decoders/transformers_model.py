"""Runs any Hugging Face causal LM with fill-in-the-middle by transformers, on CPU, CUDA or MPS.

Weights are read from safetensors only, and no code from a model's folder is ever run (``trust_remote_code``).
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging as transformers_logging

from tabspec.errors import ModelNotUsable
from tabspec.models.files.folder import ModelFolder, load_tokenizer
from tabspec.models.files.weights import is_quantized, load_llama_state_dict
from tabspec.models.local.logits import Logits
from tabspec.models.local.model import MOST_CONTEXT, LocalModel
from tabspec.models.machine.devices import pick_device, pick_dtype


class TransformersDecoder:
    """A `Decoder` that runs a transformers model. Its KV cache is a `DynamicCache`."""

    def __init__(self, model: Any, context: int) -> None:
        self.model = model
        self.context = context
        # With this parameter, only the wanted logits are computed: it matters with a vocabulary of 150,000 tokens.
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    def new_kv(self) -> DynamicCache:
        return DynamicCache(config=self.model.config)

    @torch.inference_mode()
    def forward(self, kv: DynamicCache, tokens: Sequence[int], want: int) -> Logits:
        ids = torch.tensor([list(tokens)], device=self.model.device)
        options = {"logits_to_keep": max(want, 1)} if self._keeps else {}
        logits: torch.Tensor = self.model(input_ids=ids, past_key_values=kv, use_cache=True, **options).logits[0]
        rows: Logits = logits[len(logits) - want :].float().cpu().numpy()
        return rows

    def truncate(self, kv: DynamicCache, length: int) -> None:
        # A negative argument of crop() is the number of positions to remove (transformers 5). 0 would remove none.
        if extra := kv.get_seq_length() - length:
            kv.crop(-extra)

    def copy(self, source: DynamicCache, target: DynamicCache, length: int) -> None:
        twin = copy.deepcopy(source)
        target.layers = twin.layers
        self.truncate(target, length)


def load_transformers(
    folder: ModelFolder, name: str, *, device: str = "auto", dtype: str = "auto", format: str = ""
) -> LocalModel:
    """Load the model in ``folder`` under the name ``name``. Raises `ModelNotUsable` with a message of one line."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    at, numbers = pick_device(device), pick_dtype(dtype, pick_device(device))
    _ = (
        folder.config,
        folder.weights,
    )  # raises first, because these error messages are clearer than those of transformers
    try:
        config = AutoConfig.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
        backend = getattr(tokenizer, "backend_tokenizer", None)
    except Exception as error:  # a bad configuration can raise any error in transformers
        raise _unusable(name, error) from error
    if backend is None:
        raise ModelNotUsable(f"{name}: has no tokenizer that the library tokenizers can run")
    vocabulary, form = load_tokenizer(backend.to_str(), folder.model_type, name, format)
    try:
        model = _network(folder, config, numbers).to(at).eval()
    except Exception as error:
        raise _unusable(name, error) from error
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or MOST_CONTEXT
    window = getattr(config, "sliding_window", None) or MOST_CONTEXT
    if model.get_output_embeddings().weight.shape[0] < vocabulary.size:
        raise ModelNotUsable(f"{name}: its tokenizer has more tokens than the model")
    # Up to the window, a sliding layer equals a full one, so its KV cache can be cropped.
    decoder = TransformersDecoder(model, min(positions, window, MOST_CONTEXT))
    detail = f"transformers {type(model).__name__}, {at.type}, {str(numbers).removeprefix('torch.')}"
    return LocalModel.of_folder(folder, name, decoder, vocabulary, form, ("transformers", str(numbers)), detail)


def _network(folder: ModelFolder, config: Any, dtype: torch.dtype) -> Any:
    if is_quantized(folder.weights[0]):
        model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
        model.load_state_dict(load_llama_state_dict(folder.weights[0], dtype), strict=False)
        return model
    return AutoModelForCausalLM.from_pretrained(
        folder.path,
        config=config,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=dtype,
    )


def _unusable(name: str, error: Exception) -> ModelNotUsable:
    return ModelNotUsable(f"{name}: cannot be loaded: {_line(error)}")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
