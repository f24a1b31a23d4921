"""The measurements of the benches: decoders, suggestions, suggestions after an accept; models on a virtual clock."""
