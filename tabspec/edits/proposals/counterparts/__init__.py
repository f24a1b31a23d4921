"""Places that must follow a change of a type or a signature: one file for each kind."""
