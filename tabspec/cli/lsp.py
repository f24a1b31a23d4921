"""`tabspec lsp`: the same as the command `tabspec-lsp`."""

from __future__ import annotations

import importlib

import click


@click.command("lsp", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lsp_command(arguments: tuple[str, ...]) -> None:
    """Run the language server."""
    # By name: the server stands above the command line, and is not imported from it.
    importlib.import_module("tabspec_lsp.main").main(list(arguments), prog="tabspec lsp")
