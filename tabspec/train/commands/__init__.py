"""`tabspec train`: its commands, except `edits`, which is in `tabspec.lab.commands`."""
