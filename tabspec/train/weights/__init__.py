"""What is done with weights outside of the optimizer: widening, rounding, saving, teaching; tables of draft tokens."""
