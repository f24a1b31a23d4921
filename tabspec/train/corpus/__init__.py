"""The corpus: where it comes from, what is left out, and how it lies on disk."""
