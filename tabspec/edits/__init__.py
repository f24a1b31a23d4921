"""Edits that a user makes and may make next: history, rebasing, proposals by pattern, the gate. Pure functions."""
