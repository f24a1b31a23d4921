"""What is done to weights outside of the optimizer: widening them, and rounding them as a file stores them."""
