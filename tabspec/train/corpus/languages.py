"""The languages of the corpus, by file name suffix."""

from __future__ import annotations

from pathlib import PurePosixPath

# The languages that the bundled model is trained on. The filters drop type declarations (.d.ts), because most of them
# are generated from sources that are in the corpus.
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
    ".go": "go",
}


def language_of(path: str) -> str | None:
    """The language of a file, from its suffix. None if it is not a language of the corpus."""
    return LANGUAGES.get(PurePosixPath(path).suffix.lower())
