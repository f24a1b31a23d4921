"""Recorded edit sessions. Some are shipped for `make demo` and tests; README.md in this folder names their sources."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def shipped() -> dict[str, Path]:
    """The shipped session files by name, sorted."""
    files = sorted(path for path in FOLDER.glob("*.jsonl.gz") if not path.name.endswith(".side.jsonl.gz"))
    return {path.name.removesuffix(".jsonl.gz"): path for path in files}
