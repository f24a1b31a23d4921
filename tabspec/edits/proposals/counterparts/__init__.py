"""What was added at one place and is missing at its counterpart: one file one kind."""
