"""Tuning with few examples or for one token: low-rank additions, and the end-of-middle token."""
