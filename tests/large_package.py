"""A package tabspec_large with a tiny model in four bits, for tests: the real one need not be installed."""

from __future__ import annotations

from pathlib import Path

from tabspec.models.files.folder import EDIT_CALIBRATION
from tabspec.models.local.edits.calibration import UNFITTED
from tests import tiny
from tests.edit_decoder import OURS_PIECES, SPECIAL


def save_for_both_tasks(folder: Path) -> Path:
    """Write a model in four bits that fills in the middle and writes edits. Returns ``folder``."""
    tiny.save_model(
        folder,
        tiny.byte_level(SPECIAL, OURS_PIECES),
        max_position_embeddings=2048,
        hidden_size=128,
        intermediate_size=192,
        tie_word_embeddings=True,
    )
    UNFITTED.save(folder / EDIT_CALIBRATION)
    return tiny.in_four_bits(folder)


def make_package(at: Path) -> Path:
    """Write the package into the folder ``at``, which becomes an entry of the module search path. Returns the folder of
    its model."""
    folder = save_for_both_tasks(at / "tabspec_large" / "model")
    (folder.parent / "__init__.py").write_text("")
    return folder
