"""How long a test waits for another process, or for a server in this one."""

PATIENCE = 300.0
"""Seconds. The limit ends hangs only, and is long enough for a machine that does much else at the time."""
