"""The training corpus: its sources, its filters, and its format on disk."""
