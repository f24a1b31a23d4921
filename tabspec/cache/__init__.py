"""The completion cache: answers of a model, by document state."""
