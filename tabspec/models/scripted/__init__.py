"""A model that answers from a script, for tests and for authors of editor plugins."""
