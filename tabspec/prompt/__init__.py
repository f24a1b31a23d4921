"""Prompts: which part of a document a model sees, and in which format."""
