"""From a model's name to a model. torch is imported when a model is loaded, not before."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tabspec.config import EditForm, EditModelName
from tabspec.errors import ModelNotUsable
from tabspec.models.address import is_address, parse_address
from tabspec.models.check import check_decoder
from tabspec.models.files.mine import MINE, mine_folder, problem_of_mine
from tabspec.models.protocol import Model

if TYPE_CHECKING:
    from tabspec.models.files.folder import ModelFolder
    from tabspec.models.http.edits import HttpEditModel
    from tabspec.models.local.edits.writer import LocalEdits
    from tabspec.models.local.model import LocalModel

log = logging.getLogger(__name__)

_AUTO = ("", EditModelName.AUTO)

BUNDLED = Path(__file__).parent / "bundled"
"""The folder of the model that ships in the package."""

BUNDLED_EDITS = Path(__file__).parent / "bundled_edits"
"""The folder of the model that writes edits. It is loaded into the process of a local model at the first edit."""


def load_model(
    name: str | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    format: str = "",
    decoder: str = "auto",
    edits: str = "",
) -> Model:
    """The model called ``name``, in this process.

    None or "bundled": the bundled one. "mine": the user's own (`tabspec train mine`), or if that cannot be used, the
    bundled one, with a line in the log. Otherwise a folder, or a name on the Hugging Face Hub. For an address
    (``http://…``): the model of the server there, without the options below.

    ``device`` is "auto" or a name that torch knows. ``dtype`` is "auto", "float32", "bfloat16", "float16", or "int4"
    (weights in four bits, for models that our own decoder runs, on a CPU). ``format`` is the name of the FIM format,
    if the tokenizer does not show it. ``decoder`` is "own" (Llama family), "transformers", or "auto" (own if it can).
    ``edits`` is the folder of the model that writes edits in the same process; "": the bundled one.

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

    model: LocalModel
    if decoder != "transformers" and _is_llama(folder, decoder):
        from tabspec.models.decoders.llama_model import load_llama

        model = load_llama(folder, shown, device=device, dtype=dtype, format=format)
    else:
        from tabspec.models.decoders.transformers_model import load_transformers

        model = load_transformers(folder, shown, device=device, dtype=dtype, format=format)
    trim_heap()
    if edits or BUNDLED_EDITS.is_dir():
        _write_edits(model, ModelFolder(Path(edits) if edits else BUNDLED_EDITS), device)
    return model


def _write_edits(model: LocalModel, folder: ModelFolder, device: str) -> None:
    """Let the model in ``folder`` write edits in the process of ``model``."""
    from tabspec.models.decoders.llama_model import load_edits

    # With the fingerprint of this model, which depends on the arithmetic, too.
    model.write_edits(
        folder.fingerprint(model.info.fingerprint),
        lambda: load_edits(folder, "bundled edits", model.local.together, device=device),
    )


def load_edits_alone(name: str = "bundled") -> LocalEdits:
    """The model that writes edits, in this process: the bundled one, or that in the folder ``name``. Raises
    `ModelNotUsable`."""
    from tabspec.models.decoders.llama_model import load_edits
    from tabspec.models.files.folder import ModelFolder

    return load_edits(ModelFolder(BUNDLED_EDITS if name == "bundled" else Path(name)), name)


def edits_here(name: str, model: str = "") -> bool:
    """Whether the bundled edit model is what ``name`` (a value of the setting `edit_model`) stands for, where ``model``
    writes at the cursor."""
    own = model in ("", "bundled", MINE) and BUNDLED_EDITS.is_dir()
    return name == EditModelName.BUNDLED or (name in _AUTO and own)


def load_edit_model(name: str, form: EditForm = EditForm.AUTO, model: str = "") -> HttpEditModel | None:
    """The model that writes edits, at the address ``name``, in this format. With "auto", or without a name: that of the
    server which is the ``model`` at the cursor, if its model is one that writes edits, or the format is given; None for
    other models, and for the other values of the setting `edit_model`.

    Raises `ModelNotUsable` if the name is neither an address nor one of these values.
    """
    if name in _AUTO:
        name = ""
    elif name in tuple(EditModelName):
        return None
    else:
        parse_address(name)
    if not is_address(name or model):
        return None
    from tabspec.models.http import HttpModel  # imports httpx
    from tabspec.models.http.edits import HttpEditModel

    return HttpEditModel(HttpModel(name or model), form, optional=not name and form is EditForm.AUTO)


def _is_llama(folder: ModelFolder, decoder: str) -> bool:
    """Whether our own decoder is asked for, or can run the model."""
    from tabspec.models.decoders.llama_model import llama_shape

    return decoder == "own" or llama_shape(folder) is not None
