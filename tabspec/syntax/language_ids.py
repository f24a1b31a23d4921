"""Language identifiers of the Language Server Protocol by file name, for files that are not open in an editor (from
the command line, from recorded sessions)."""

from __future__ import annotations

from pathlib import PurePosixPath

_BY_SUFFIX = {
    ".bash": "shellscript", ".c": "c", ".cc": "cpp", ".clj": "clojure", ".cpp": "cpp", ".cs": "csharp", ".css": "css",
    ".cxx": "cpp", ".dart": "dart", ".el": "emacs-lisp", ".ex": "elixir", ".exs": "elixir", ".go": "go", ".h": "c",
    ".hpp": "cpp", ".hs": "haskell", ".htm": "html", ".html": "html", ".java": "java", ".jl": "julia",
    ".js": "javascript", ".json": "json", ".jsx": "javascriptreact", ".kt": "kotlin", ".kts": "kotlin", ".lisp": "lisp",
    ".lua": "lua", ".m": "matlab", ".md": "markdown", ".mjs": "javascript", ".php": "php", ".py": "python",
    ".pyi": "python", ".r": "r", ".rb": "ruby", ".rs": "rust", ".scala": "scala", ".scss": "scss", ".sh": "shellscript",
    ".sql": "sql", ".svelte": "svelte", ".swift": "swift", ".tf": "terraform", ".toml": "toml", ".ts": "typescript",
    ".tsx": "typescriptreact", ".txt": "plaintext", ".vue": "vue", ".xml": "xml", ".yaml": "yaml", ".yml": "yaml",
    ".zig": "zig",
}  # fmt: skip


def language_of(path: str) -> str:
    """The language identifier of a file, from the suffix of its name. "" if unknown."""
    return _BY_SUFFIX.get(PurePosixPath(path).suffix.lower(), "")
