"""The user's own model: the bundled one, tuned on the user's recorded sessions (`tabspec train mine`)."""
