"""Which future states are computed in advance: how likely they are, what they cost, and when to begin."""
