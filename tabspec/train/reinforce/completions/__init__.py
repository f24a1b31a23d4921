"""Completions: holes where a user types, what the engine would show of what is written there, and what it earns."""
