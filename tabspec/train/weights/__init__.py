"""What becomes of weights outside of the optimizer: widened, rounded, saved; and the table of draft tokens."""
