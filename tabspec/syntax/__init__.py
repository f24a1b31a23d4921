"""The syntax of a document: its language, its syntax tree, and whether a place is in code, a string or a comment."""
