"""What every room may need of the system: child processes, logs, the terminal."""
