"""Holes in held-out code: where they are, how a model fills them, how answers are marked."""
