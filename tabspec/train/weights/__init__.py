"""What is made of a model outside of its training: weights widened or rounded, and its table of draft tokens."""
