"""Results of a replay, and statistics of a recording."""
