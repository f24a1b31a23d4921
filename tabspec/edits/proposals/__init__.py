"""Next edits by pattern, without a model: one file one kind of proposal. `propose` gives the chain."""
