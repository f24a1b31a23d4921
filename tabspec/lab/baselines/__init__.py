"""What tabspec's decoders are measured against: llama.cpp and transformers."""
