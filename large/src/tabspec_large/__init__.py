"""The larger model of tabspec, as files: the folder `model` beside this file."""
