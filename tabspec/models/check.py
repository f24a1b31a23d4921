"""Whether a named model can be there, told in a second: for commands that would load it elsewhere, much later."""

from __future__ import annotations

from pathlib import Path

from tabspec.errors import ModelNotUsable
from tabspec.models.address import is_address, parse_address
from tabspec.models.hub import find_folder, is_hub_name
from tabspec.models.scripted_file import SCHEME, read_script

DECODERS = ("auto", "own", "transformers")


def check_model(name: str | None, *, format: str = "", decoder: str = "auto") -> None:
    """Raises `ModelNotUsable`, with one line, for what `tabspec.models.load.load_model` would refuse, as far as that
    can be told from the files: neither torch nor the weights are read, and nothing is asked of a network.

    A server and a name on the Hugging Face Hub are taken to be there.
    """
    if decoder not in DECODERS:
        raise ModelNotUsable(f"unknown decoder {decoder!r}; known are: {', '.join(DECODERS)}")
    if name is None or name == "bundled":
        return
    if name.startswith(SCHEME):
        read_script(Path(name.removeprefix(SCHEME)))
    elif is_address(name):
        parse_address(name)
    elif not is_hub_name(name):
        from tabspec.models.folder import ModelFolder, speak  # imports tokenizers

        folder = ModelFolder(find_folder(name))
        speak(folder.tokenizer_json(), folder.model_type, str(folder.path), format)
        _ = folder.weights  # raises where there are none
