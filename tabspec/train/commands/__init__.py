"""`tabspec train`: the commands, apart from that for edits, which also uses the laboratory."""
