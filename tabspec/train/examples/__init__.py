"""Turns documents into rows of tokens: cuts, fill-in-the-middle examples, and the tokenizer."""
