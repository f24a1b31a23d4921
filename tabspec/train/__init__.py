"""Trains models: corpus, tokenizer, fill-in-the-middle examples, and the training loop."""
