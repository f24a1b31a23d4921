"""Bytes, frames and LSP's types: the layer between the client and the service."""
