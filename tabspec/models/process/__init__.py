"""A model in a separate process: the worker and its front. The front never imports torch."""
