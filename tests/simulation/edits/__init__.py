"""Simulation of next edits: documents with edit histories, a scripted proposer, and what has to be offered."""
