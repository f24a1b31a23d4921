"""Commands that belong to the laboratory: `tabspec evaluate`, `export`, `import` and `train edits`."""
