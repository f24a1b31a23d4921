"""`python -m tabspec` is the command `tabspec`."""

from tabspec.cli.main import main

main()
