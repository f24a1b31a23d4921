"""Languages of the corpus, by file name."""

from __future__ import annotations

from pathlib import PurePosixPath

# The languages that the bundled model is trained on. Type declarations (.d.ts) are left out by the filters:
# they are mostly compiled from sources that the corpus has.
LANGUAGES: dict[str, str] = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".tsx": "typescript",
    ".svelte": "svelte",
    ".vue": "vue",
    ".rs": "rust",
}


def language_of(path: str) -> str | None:
    """The language of a file by its ending; None if the corpus does not have it."""
    return LANGUAGES.get(PurePosixPath(path).suffix.lower())
