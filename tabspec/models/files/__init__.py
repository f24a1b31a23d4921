"""A model on disk: its folder, its weights' formats, its table of n-grams."""
