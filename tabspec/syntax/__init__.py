"""Syntax of a document: its language, its tree, and what a place in it is (code, a string, a comment)."""
