"""Which states are asked for ahead of the user: how likely they are, what they cost, and when to begin."""
