"""Commands that belong to the laboratory: `tabspec evaluate`, `tabspec export` and `tabspec import`."""
