"""Measures next edits: on the cases of public suites, and on the commits of git repositories."""
