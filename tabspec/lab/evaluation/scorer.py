"""Log-probabilities of tokens under a model: Llamas in `tabspec.train.network`, others through transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from tabspec.errors import InputError, ModelNotUsable
from tabspec.train.examples.tokenizer import EOM, special_id
from tabspec.train.network import Network
from tabspec.train.weights.export import load_model

# The most tokens in a window, as when serving. It is the same for all models, so that they can be compared.
CONTEXT = 1024


class Scorer:
    """A model that scores the tokens of a text. ``context``: its largest number of positions.

    ``end``: the model's end-of-middle token, if it has one. It never occurs in a scored text, so it gets probability 0,
    as in a prefix.
    """

    def __init__(
        self, forward: Callable[[Tensor], Tensor], tokenizer: Tokenizer, context: int, end: int | None = None
    ) -> None:
        self._forward, self.tokenizer, self.context, self._end = forward, tokenizer, min(context, CONTEXT), end
        tokenizer.encode_special_tokens = True

    @torch.inference_mode()
    def logprobs(self, tokens: Sequence[int]) -> Tensor:
        """Natural logarithms of the probabilities of ``tokens[1:]``, each after those before it: (len - 1,)."""
        ids = torch.tensor([list(tokens)])
        logits = self._forward(ids)[0, :-1].float()
        if self._end is not None:
            logits[:, self._end] = -torch.inf
        return -F.cross_entropy(logits, ids[0, 1:], reduction="none")


def load_scorer(folder: Path, dtype: torch.dtype = torch.float32) -> Scorer:
    """A scorer for a model folder. Raises `InputError` if it holds no usable model."""
    try:
        weights, shape, tokenizer = load_model(folder)
    except ModelNotUsable:
        raise
    except InputError:
        return _through_transformers(folder, dtype)
    network = Network(shape)
    network.load_state_dict(weights)
    network.to(dtype).eval()
    return Scorer(network, tokenizer, shape.context, special_id(tokenizer, EOM))


def _through_transformers(folder: Path, dtype: torch.dtype) -> Scorer:
    from transformers import AutoModelForCausalLM

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=dtype
        )
        model.eval()
    except Exception as error:  # an unusable folder can fail in many ways
        raise InputError(f"{folder}: cannot be loaded as a model: {str(error).splitlines()[0]}") from error
    context = int(getattr(model.config, "max_position_embeddings", 1024))
    return Scorer(lambda ids: model(input_ids=ids).logits, tokenizer, context)
