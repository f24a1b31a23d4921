"""Checks a model's name within a second, for commands that load the model in another process much later."""

from __future__ import annotations

from pathlib import Path

from tabspec.errors import ModelNotUsable
from tabspec.models.address import is_address, parse_address
from tabspec.models.files.hub import OWN, find_folder, is_hub_name
from tabspec.models.files.large import LARGE, installed_large
from tabspec.models.scripted.file import SCHEME, read_script

_DECODERS = ("auto", "own", "transformers")


def check_decoder(name: str) -> None:
    """Raises `ModelNotUsable` for the name of no decoder."""
    if name not in _DECODERS:
        raise ModelNotUsable(f"unknown decoder {name!r}; known are: {', '.join(_DECODERS)}")


def check_model(
    name: str | None, *, device: str = "auto", dtype: str = "auto", format: str = "", decoder: str = "auto"
) -> None:
    """Raises `ModelNotUsable`, with one line, for what `tabspec.models.load.load_model` would refuse, as far as the
    files show it. Weights are not read, torch is imported only for another dtype than "auto", and no network is used: a
    server and a name on the Hugging Face Hub are assumed to exist.
    """
    check_decoder(decoder)
    if dtype != "auto":
        _check_dtype(dtype, device, own=decoder != "transformers")
    if name == LARGE:
        installed_large()
    if name is None or name in OWN:
        return
    if name.startswith(SCHEME):
        read_script(Path(name.removeprefix(SCHEME)))
    elif is_address(name):
        parse_address(name)
    elif not is_hub_name(name):
        from tabspec.models.files.folder import ModelFolder, load_tokenizer  # imports tokenizers

        folder = ModelFolder(find_folder(name))
        load_tokenizer(folder.tokenizer_json(), folder.model_type, str(folder.path), format)
        _ = folder.weights  # raises where there are none
        if dtype != "auto" and decoder == "auto":
            from tabspec.models.decoders.llama_model import llama_shape  # imports torch

            _check_dtype(dtype, device, own=llama_shape(folder) is not None)


def _check_dtype(dtype: str, device: str, own: bool) -> None:
    """Raises `ModelNotUsable` if the decoder (our own, or transformers') cannot compute in ``dtype`` on such a device.
    Whether the device exists is not checked."""
    import torch

    from tabspec.models.machine.devices import pick_dtype, pick_weights

    kind = "cpu" if device == "auto" else device.partition(":")[0]
    try:
        at = torch.device(kind)
    except RuntimeError:  # no device's name: loading reports it
        return
    _ = pick_weights(dtype, at) if own else pick_dtype(dtype, at)
