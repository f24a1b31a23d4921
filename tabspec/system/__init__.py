"""What every room may need of the system: child processes, files, logs, the terminal."""
