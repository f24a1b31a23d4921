"""From a model's name to a model. torch is imported when a model is loaded, not before."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tabspec.errors import ModelNotUsable
from tabspec.models.address import is_address
from tabspec.models.check import check_decoder
from tabspec.models.files.mine import MINE, mine_folder, problem_of_mine
from tabspec.models.protocol import Model

if TYPE_CHECKING:
    from tabspec.models.files.folder import ModelFolder

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parent / "bundled"
"""The folder of the model that ships in the package."""


def load_model(
    name: str | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    format: str = "",
    decoder: str = "auto",
) -> Model:
    """The model called ``name``, in this process.

    None or "bundled": the bundled one. "mine": the user's own (`tabspec train mine`), or if that cannot be used, the
    bundled one, with a line in the log. Otherwise a folder, or a name on the Hugging Face Hub. For an address
    (``http://…``): the model of the server there, without the options below.

    ``device`` is "auto" or a name that torch knows. ``dtype`` is "auto", "float32", "bfloat16", "float16", or "int4"
    (weights in four bits, for models that our own decoder runs, on a CPU). ``format`` is the name of the FIM format,
    if the tokenizer does not show it. ``decoder`` is "own" (Llama family), "transformers", or "auto" (own if it can).

    Raises `ModelNotUsable` if the model does not exist or cannot fill in the middle, or if torch is missing.
    """
    if name and is_address(name):
        from tabspec.models.http import HttpModel  # imports httpx, and no torch

        return HttpModel(name)
    check_decoder(decoder)
    for library in ("torch", "tokenizers", "safetensors"):
        if find_spec(library) is None:
            raise ModelNotUsable(f"{library} is not installed; run: pip install {library}")
    from tabspec.models.files.folder import ModelFolder
    from tabspec.models.files.hub import find_folder

    shown = name or "bundled"
    if shown == MINE and (problem := problem_of_mine(BUNDLED)):
        log.warning("the bundled model is used: %s", problem)
        shown = "bundled"
    own = {"bundled": BUNDLED, MINE: mine_folder()}
    folder = ModelFolder(own[shown] if shown in own else find_folder(shown))
    from tabspec.models.machine.memory import trim_heap

    model: Model
    if decoder != "transformers" and _is_llama(folder, decoder):
        from tabspec.models.decoders.llama_model import load_llama

        model = load_llama(folder, shown, device=device, dtype=dtype, format=format)
    else:
        from tabspec.models.decoders.transformers_model import load_transformers

        model = load_transformers(folder, shown, device=device, dtype=dtype, format=format)
    trim_heap()
    return model


def _is_llama(folder: ModelFolder, decoder: str) -> bool:
    """Whether our own decoder is asked for, or can run the model."""
    from tabspec.models.decoders.llama_model import llama_shape

    return decoder == "own" or llama_shape(folder) is not None
