"""The corpus: sources, filters, and the format on disk."""
