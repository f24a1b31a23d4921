"""The commands of `tabspec bench`, one file for each command."""
