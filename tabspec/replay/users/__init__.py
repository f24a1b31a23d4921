"""Simulated users: how they type, how long they read, what they accept."""
