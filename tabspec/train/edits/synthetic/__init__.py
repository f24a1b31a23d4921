"""Edits that repeat in a file, made on the files of a corpus."""
