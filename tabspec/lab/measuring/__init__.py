"""The measurements of the benches: the speed of decoders, whole suggestions, and suggestions after an accept."""
