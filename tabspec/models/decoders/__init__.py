"""Decoders run a model's forward passes: in torch, compiled for CPUs, on CUDA, or by transformers."""
