"""Edits: moments between two releases, what the model would write there, and what it earns."""
