"""How long a test waits for another process, or for a server in this one."""

PATIENCE = 300.0
"""Seconds. They end a hang, and never judge a speed: a machine may have ten other things to do."""
