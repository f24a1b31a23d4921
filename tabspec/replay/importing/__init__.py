"""Sessions from other sources: a repository's history, VS Code's recordings."""
