"""Filling holes in held-out code, and marking the answers."""
