"""Converters: models to GGUF files, and VS Code recordings and git history to sessions."""
