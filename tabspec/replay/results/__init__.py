"""What a replay or a recording shows: the result file and the counts in it."""
