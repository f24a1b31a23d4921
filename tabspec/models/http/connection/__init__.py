"""One HTTP server: the connection, back-off, the key, and what must not leave the machine."""
