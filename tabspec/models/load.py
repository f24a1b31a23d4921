"""From a model's name to a model. torch is imported when a model is loaded, not before."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tabspec.config import EditForm, EditModelName
from tabspec.errors import ModelNotUsable
from tabspec.models.address import is_address, parse_address
from tabspec.models.check import check_decoder
from tabspec.models.files.hub import OWN, find_folder
from tabspec.models.files.large import AUTO, LARGE, installed_large, large_folder
from tabspec.models.files.mine import MINE, mine_folder, problem_of_mine
from tabspec.models.protocol import Model

if TYPE_CHECKING:
    from tabspec.models.files.folder import ModelFolder
    from tabspec.models.http.edits import HttpEditModel
    from tabspec.models.local.edits.writer import LocalEdits
    from tabspec.models.local.model import LocalModel

log = logging.getLogger(__name__)

_AUTO = ("", EditModelName.AUTO)  # of the setting `edit_model`

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
    bundled one, with a line in the log. "large": that of the package tabspec-large. "auto": the bundled one, whose
    edits the large one writes if it is installed and fast enough now (`tabspec.models.local.speed`); the ``detail`` of
    its ``info`` tells what was measured. Otherwise a folder, or a name on the Hugging Face Hub. For an address
    (``http://…``): the model of the server there, without the options below.

    ``device`` is "auto" or a name that torch knows. ``dtype`` is "auto", "float32", "bfloat16", "float16", or "int4"
    (weights in four bits, for models that our own decoder runs, on a CPU). ``format`` is the name of the FIM format,
    if the tokenizer does not show it. ``decoder`` is "own" (Llama family), "transformers", or "auto" (own if it can).
    ``edits`` is the folder of the model that writes edits in the same process; "": the model itself if it can, else the
    bundled one.

    Raises `ModelNotUsable` if the model does not exist or cannot fill in the middle, or if torch is missing.
    """
    if name and is_address(name):
        from tabspec.models.http import HttpModel  # imports httpx, and no torch

        return HttpModel(name)
    check_decoder(decoder)
    for library in ("torch", "tokenizers", "safetensors"):
        if find_spec(library) is None:
            raise ModelNotUsable(f"{library} is not installed; run: pip install {library}")
    shown = name or "bundled"
    if shown == MINE and (problem := problem_of_mine(BUNDLED)):
        log.warning("the bundled model is used: %s", problem)
        shown = "bundled"
    if shown == AUTO:
        load = partial(load_model, device=device, dtype=dtype, format=format, decoder=decoder)
        large = None if edits else large_folder()
        return load("bundled", edits=edits) if large is None else _edits_by_large_if_fast(load, large)
    from tabspec.models.files.folder import ModelFolder
    from tabspec.models.machine.memory import trim_heap

    folder = ModelFolder(folder_of(shown))
    model: LocalModel
    if decoder != "transformers" and _is_llama(folder, decoder):
        from tabspec.models.decoders.llama_model import load_llama

        model = load_llama(folder, shown, device=device, dtype=dtype, format=format)
    else:
        from tabspec.models.decoders.transformers_model import load_transformers

        model = load_transformers(folder, shown, device=device, dtype=dtype, format=format)
    trim_heap()
    if edits:
        _write_edits(model, ModelFolder(Path(edits)), device)
    elif folder.writes_edits:
        from tabspec.models.decoders.llama_model import edits_by

        model.write_edits(folder.fingerprint(model.info.fingerprint, "edits"), lambda: edits_by(model, folder))
    elif BUNDLED_EDITS.is_dir():
        _write_edits(model, ModelFolder(BUNDLED_EDITS), device)
    return model


def folder_of(name: str) -> Path:
    """The folder of a model in this process: that of our own of this name ("bundled", "mine", "large"), the path
    ``name``, or files of the Hugging Face Hub. Raises `ModelNotUsable` if the larger model is not installed, or if the
    Hub does not have them; paths are not checked."""
    if name == LARGE:
        return installed_large()
    own = {"bundled": BUNDLED, MINE: mine_folder()}
    return own[name] if name in own else find_folder(name)


def _edits_by_large_if_fast(load: Callable[..., Model], large: Path) -> Model:
    """The bundled model, whose edits the one in the folder ``large`` writes, if a completion takes at most `MOST_MS`
    with it. At the cursor the bundled one is better, and three times as fast. It is measured at each start: what else
    runs on the machine changes. Its weights are loaded again at the first edit, so that they take no memory before."""
    from tabspec.models.local.model import LocalModel
    from tabspec.models.local.speed import MOST_MS, completion_ms

    try:
        measured = load(LARGE)
    except ModelNotUsable as error:
        log.warning("the bundled models are used: %s", error)
        return load("bundled")
    assert isinstance(measured, LocalModel)
    ms = completion_ms(measured.local.decoder)
    del measured
    gc.collect()  # it holds itself; its 120 MiB go before the other one comes
    if ms > MOST_MS:
        model, found = load("bundled"), f"the larger model takes more than {MOST_MS:.0f} ms for a completion"
    else:
        model = load("bundled", edits=str(large))
        found = f"the larger model writes edits ({ms:.0f} ms for a completion, at most {MOST_MS:.0f} are allowed)"
    assert isinstance(model, LocalModel)
    model.info = replace(model.info, detail=f"{model.info.detail}; auto: {found}")
    return model


def _write_edits(model: LocalModel, folder: ModelFolder, device: str) -> None:
    """Let the model in ``folder`` write edits in the process of ``model``."""
    from tabspec.models.decoders.llama_model import load_edits
    from tabspec.models.machine.memory import trim_heap

    def load() -> LocalEdits:
        name = "bundled edits" if folder.path == BUNDLED_EDITS else str(folder.path)
        edits = load_edits(folder, name, model.local.batcher, device=device)
        trim_heap()
        return edits

    # With the fingerprint of this model, which depends on the arithmetic, too.
    model.write_edits(folder.fingerprint(model.info.fingerprint), load)


def load_edits_alone(name: str = "bundled") -> LocalEdits:
    """The model that writes edits, in this process: the bundled one, the larger one ("large"), or that in the folder
    ``name``. Raises `ModelNotUsable`."""
    from tabspec.models.decoders.llama_model import load_edits
    from tabspec.models.files.folder import ModelFolder

    return load_edits(ModelFolder(BUNDLED_EDITS if name == "bundled" else folder_of(name)), name)


def edits_here(name: str, model: str = "") -> bool:
    """Whether edits are written in the process of the model at the cursor, called ``model``, with the value ``name`` of
    the setting `edit_model`."""
    if name == EditModelName.BUNDLED:
        return True
    own = BUNDLED_EDITS.is_dir() if model in ("", *OWN) else writes_edits(model)
    return name in _AUTO and own


def writes_edits(model: str) -> bool:
    """Whether the larger model (called "large"), or that in the folder ``model``, writes edits, too."""
    from tabspec.models.files.folder import EDIT_CALIBRATION

    folder = large_folder() if model == LARGE else Path(model).expanduser()
    return folder is not None and (folder / EDIT_CALIBRATION).is_file()


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
