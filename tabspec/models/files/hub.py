"""Finds a model's folder by name: a path, or a name on the Hugging Face Hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from tabspec.errors import ModelNotUsable
from tabspec.models.address import is_address
from tabspec.models.files.large import AUTO, LARGE
from tabspec.models.files.mine import MINE
from tabspec.models.scripted.file import SCHEME

OWN = ("bundled", MINE, LARGE, AUTO)
"""Names of our own models. They are no paths."""

# What is needed, and no pickled weights.
_FILES = ("*.json", "*.safetensors", "tokenizer.model", "*.txt", "drafts.npz")


def is_hub_name(name: str) -> bool:
    """Whether a name that is no address is looked up on the Hub: of the form OWNER/MODEL, and no existing path."""
    path = Path(name).expanduser()
    return not (path.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1 or _is_there(path))


def _is_there(path: Path) -> bool:
    """Whether a path exists; also if it lies in a folder that may not be read: then it is no name on the Hub either."""
    try:
        return path.exists()
    except OSError:
        return True


def absolute(name: str | None) -> str | None:
    """A model's name for a process with another working directory: paths in it become absolute."""
    if not name or name in OWN:
        return name
    if is_address(name):
        option = re.compile(r"(?<=[?&]tokenizer=)[^&#]+")
        return option.sub(lambda found: quote(str(Path(unquote(found[0])).absolute())), name)
    if name.startswith(SCHEME):
        return SCHEME + str(Path(name.removeprefix(SCHEME)).absolute())
    return name if is_hub_name(name) else str(Path(name).expanduser().absolute())


def find_folder(name: str) -> Path:
    """The folder called ``name``, or a folder with the Hub's files of that name: from the local store if
    ``HF_HUB_OFFLINE`` is set, else downloaded. Raises `ModelNotUsable` if the Hub does not have them; paths are not
    checked.
    """
    if not is_hub_name(name):
        return Path(name).expanduser()
    from huggingface_hub import snapshot_download

    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    try:
        return Path(snapshot_download(name, allow_patterns=list(_FILES), local_files_only=offline))
    except Exception as error:  # of any kind: network, HTTP, disk
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].removeprefix("Got: ")
        raise ModelNotUsable(
            f"{name}: no such folder, and the Hugging Face Hub does not give it ({reason}): check the name and the "
            "network, or name a folder"
        ) from error
