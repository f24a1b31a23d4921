"""The completion cache: suggestions by prefix."""
