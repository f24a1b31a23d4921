"""Decoding in this process: canonical generation, KV slots, batching, draft tokens."""
