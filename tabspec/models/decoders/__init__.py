"""Decoders: plain torch, the compiled one for CPUs, the one for CUDA, and transformers."""
