"""Recorded edit sessions. Some are shipped for `make demo` and tests; README.md in this folder names their sources."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def shipped() -> dict[str, Path]:
    """The shipped session files by name, sorted."""
    from tabspec.replay.sessions.session_file import session_files, session_name  # which imports this package

    return {session_name(path): path for path in session_files(FOLDER)}
