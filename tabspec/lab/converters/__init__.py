"""Formats of other programs: models as GGUF, sessions from VS Code's recordings and from git history."""
