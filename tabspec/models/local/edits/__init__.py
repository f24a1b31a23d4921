"""A model in this process that writes edits: what it reads, where it expects an edit, and what it writes there."""
