"""What of a model's text is never offered: what repeats itself, says again what stands below, leaves its block, or
cannot be seen.

Pure functions of texts, known to models and engine alike: models stop where all that may still come would be cut off.
"""
