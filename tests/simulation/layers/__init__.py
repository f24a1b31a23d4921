"""Simulations of what is around the engine: serving, the daemon, HTTP servers, and the language server above them."""
