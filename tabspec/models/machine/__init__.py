"""What a model takes of the machine: device and number format, threads, priority, memory."""
