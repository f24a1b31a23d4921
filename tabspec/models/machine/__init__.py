"""The machine's resources for a model: device and number format, threads, priority, memory."""
