"""A model's folder on disk, read and checked without torch.

The layout is that of Hugging Face: ``config.json``, ``tokenizer.json``, ``*.safetensors``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from tabspec.errors import ModelNotUsable
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.prompt.fim import FORMATS, FimFormat, by_name, detect

if TYPE_CHECKING:
    from tabspec.models.files.ngram_table import NgramTable

EDIT_CALIBRATION = "edit_calibration.json"
"""How likely the edits are right that the model writes. A folder with this file has a model that writes edits."""


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model. Raises `ModelNotUsable` if a file is missing or of the wrong kind."""

    path: Path

    def __post_init__(self) -> None:
        if not self.path.exists():
            raise ModelNotUsable(f"{self.path}: no such model folder")
        if not self.path.is_dir():
            raise ModelNotUsable(f"{self.path} is no folder; name the folder that holds config.json and the weights")
        if not (self.path / "config.json").is_file():
            raise ModelNotUsable(f"{self.path} is no model folder: it has no config.json")

    @property
    def writes_edits(self) -> bool:
        """Whether the model writes edits elsewhere in the file, too."""
        return (self.path / EDIT_CALIBRATION).is_file()

    def draft_table(self, vocabulary: int) -> NgramTable | None:
        """The table of n-grams for draft tokens; None if the folder has none. ``vocabulary``: number of tokens."""
        from tabspec.models.files.ngram_table import (  # imports numpy, which clients of servers do not need
            DRAFTS,
            load_table,
        )

        return load_table(self.path / DRAFTS, vocabulary)

    @cached_property
    def config(self) -> dict[str, Any]:
        try:
            config = json.loads((self.path / "config.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ModelNotUsable(f"{self.path / 'config.json'} cannot be read: {error}") from None
        if not isinstance(config, dict):
            raise ModelNotUsable(f"{self.path / 'config.json'} holds no configuration")
        return config

    @property
    def model_type(self) -> str:
        return str(self.config.get("model_type", ""))

    @cached_property
    def weights(self) -> tuple[Path, ...]:
        """The safetensors files, by name."""
        files = tuple(sorted(self.path.glob("*.safetensors")))
        if files:
            return files
        if any(self.path.glob("*.bin")) or any(self.path.glob("*.pt")) or any(self.path.glob("*.pth")):
            raise ModelNotUsable(
                f"{self.path} has its weights as pickle only, which can run code when it is read; convert them to "
                "safetensors first"
            )
        raise ModelNotUsable(f"{self.path} has no weights (*.safetensors)")

    def tokenizer_json(self) -> str:
        """The text of ``tokenizer.json``."""
        try:
            return (self.path / "tokenizer.json").read_text("utf-8")
        except (OSError, ValueError):
            raise ModelNotUsable(f"{self.path} has no tokenizer.json") from None

    def fingerprint(self, *options: str) -> str:
        """Changes with the weights, the configuration, the tokenizer, and ``options`` (dtype, format).

        Weights count by name, size and their first and last MiB: to read gigabytes whole would take seconds.
        """
        seen = xxhash.xxh3_128()
        for file in (self.path / "config.json", self.path / "tokenizer.json", *self.weights):
            seen.update(f"{file.name} {file.stat().st_size if file.exists() else 0};".encode())
            if file.exists():
                with file.open("rb") as data:
                    seen.update(data.read(1 << 20))
                    data.seek(max(file.stat().st_size - (1 << 20), 0))
                    seen.update(data.read())
        seen.update("|".join(options).encode())
        return str(seen.hexdigest())


def load_tokenizer(
    tokenizer_json: str, model_type: str, source: str, format_name: str = ""
) -> tuple[Vocabulary, FimFormat]:
    """The vocabulary and the FIM format of a model (``source`` names it in messages). The format is ``format_name``,
    or detected by the special tokens. Raises `ModelNotUsable`."""
    try:
        vocabulary = Vocabulary(tokenizer_json, {marker for form in FORMATS for marker in form.markers})
        ids = vocabulary.ids
        return vocabulary, by_name(format_name, ids) if format_name else detect(ids, model_type)
    except ModelNotUsable as error:
        raise ModelNotUsable(f"{source}: {error}") from None
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise ModelNotUsable(f"{source}: its tokenizer cannot be read: {error}") from None
