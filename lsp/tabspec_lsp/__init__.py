"""The language server of tabspec."""
