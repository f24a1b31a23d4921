"""Training: corpus, tokenizer, fill-in-the-middle examples, trainer."""
