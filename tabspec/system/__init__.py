"""The operating system, for all rooms: child processes, files, logs, the terminal."""
