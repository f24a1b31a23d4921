"""Recorded edit sessions. Some are shipped for `make demo` and tests; README.md in this folder names their sources."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
