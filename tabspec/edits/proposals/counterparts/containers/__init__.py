"""A variable's or field's type became another container: its uses are rewritten for the new type."""
