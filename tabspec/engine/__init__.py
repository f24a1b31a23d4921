"""The completion engine: answers requests, decides what the model computes next, speculates."""
