"""What is done with weights outside of the optimizer: widening, rounding, saving, teaching; the table of draft tokens."""
