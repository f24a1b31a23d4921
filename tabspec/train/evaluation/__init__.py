"""Evaluation: how good a model is on projects that it has not seen."""
