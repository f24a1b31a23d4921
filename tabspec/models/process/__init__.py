"""A model in a process of its own: the worker and its front. The front never imports torch."""
