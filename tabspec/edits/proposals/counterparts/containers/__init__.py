"""A variable's or field's type became another container: its uses become those of the new type."""
