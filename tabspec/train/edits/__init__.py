"""Examples of edits for the model that writes them: real hunks of releases, and synthetic repetitions."""
