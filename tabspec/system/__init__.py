"""The operating system, for all rooms: child processes, logs, the terminal."""
