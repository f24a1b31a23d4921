"""The baselines that tabspec's decoders are compared with: llama.cpp and transformers."""
