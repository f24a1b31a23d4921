"""How good next edits are: on cases of public suites, and on the histories of projects."""
