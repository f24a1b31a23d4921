"""`tabspec train reinforce`: a model learns from what a simulated user would take of what it shows."""
