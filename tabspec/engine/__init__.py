"""The completion engine: answers requests, decides what the model does next, asks ahead."""
