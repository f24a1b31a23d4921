"""What follows when a name was renamed: its other uses, here and in other documents, and names that take its value."""
