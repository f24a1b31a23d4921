"""A package tabspec_large with a tiny model in four bits, for tests: the real one need not be installed."""

from __future__ import annotations

from pathlib import Path

from tabspec.models.files.folder import EDIT_CALIBRATION
from tabspec.models.local.edits.calibration import UNFITTED
from tests import tiny
from tests.edit_decoder import OURS_PIECES, SPECIAL


def make_package(at: Path) -> Path:
    """Write the package into the folder ``at``, which becomes an entry of the module search path. Returns ``at``."""
    folder = at / "tabspec_large" / "model"
    tiny.save_model(
        folder,
        tiny.byte_level(SPECIAL, OURS_PIECES),
        max_position_embeddings=2048,
        hidden_size=128,
        intermediate_size=192,
        tie_word_embeddings=True,
    )
    tiny.in_four_bits(folder)
    UNFITTED.save(folder / EDIT_CALIBRATION)
    (folder.parent / "__init__.py").write_text('from pathlib import Path\n\nFOLDER = Path(__file__).parent / "model"\n')
    return at
