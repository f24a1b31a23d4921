"""Language identifiers of the Language Server Protocol by file name, for files that are not open in an editor."""

from __future__ import annotations

from pathlib import PurePosixPath

_BY_SUFFIX = {
    ".bash": "shellscript", ".c": "c", ".cc": "cpp", ".cpp": "cpp", ".cs": "csharp", ".css": "css", ".go": "go",
    ".h": "c", ".hpp": "cpp", ".html": "html", ".java": "java", ".js": "javascript", ".json": "json",
    ".jsx": "javascriptreact", ".kt": "kotlin", ".lua": "lua", ".md": "markdown", ".php": "php", ".py": "python",
    ".pyi": "python", ".rb": "ruby", ".rs": "rust", ".scss": "scss", ".sh": "shellscript", ".sql": "sql",
    ".svelte": "svelte", ".swift": "swift", ".toml": "toml", ".ts": "typescript", ".tsx": "typescriptreact",
    ".txt": "plaintext", ".vue": "vue", ".xml": "xml", ".yaml": "yaml", ".yml": "yaml",
}  # fmt: skip


def language_of(path: str) -> str:
    """The language identifier of a file, from the suffix of its name. "" if unknown."""
    return _BY_SUFFIX.get(PurePosixPath(path).suffix.lower(), "")
