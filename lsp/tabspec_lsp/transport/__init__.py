"""Bytes, frames and LSP's types: what stands between the client and the service."""
