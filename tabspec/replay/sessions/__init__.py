"""Sessions that come with the package, for `make demo` and tests. README.md beside this file says whose they are."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def shipped() -> dict[str, Path]:
    """The session files by name, in the order of their names."""
    files = sorted(path for path in FOLDER.glob("*.jsonl.gz") if not path.name.endswith(".side.jsonl.gz"))
    return {path.name.removesuffix(".jsonl.gz"): path for path in files}
