"""From documents to rows of tokens: cuts, fill-in-the-middle examples, the tokenizer."""
