"""The larger model of tabspec, as files. ``FOLDER`` is the folder that tabspec loads (``--model large``)."""

from pathlib import Path

FOLDER = Path(__file__).parent / "model"
