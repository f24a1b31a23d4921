"""Replay of recorded edit sessions: formats, simulated users, clocks, metrics, reports."""
