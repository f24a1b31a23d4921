"""Next edits between releases of held-out projects: steps, their kinds, and the scores of predictions."""
