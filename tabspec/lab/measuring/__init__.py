"""What the benches measure: decoders side by side, whole suggestions, suggestions after an accept."""
