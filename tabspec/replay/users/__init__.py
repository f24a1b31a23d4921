"""Simulated users: typing, reading time, accepting."""
