"""The completion cache: what a model wrote, by document state."""
