"""What may be asked next, how likely that is, what it costs, and what is asked ahead."""
