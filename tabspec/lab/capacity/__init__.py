"""Many users on one service: how many servers a team needs."""
