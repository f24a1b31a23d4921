"""The commands of `tabspec bench`, one file each."""
