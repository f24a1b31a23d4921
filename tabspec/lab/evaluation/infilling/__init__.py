"""Fills holes in held-out code with suggestions, and compares them with the author's text."""
