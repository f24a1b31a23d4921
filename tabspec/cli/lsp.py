"""`tabspec lsp`: the command `tabspec-lsp` under another name."""

from __future__ import annotations

import click
from tabspec_lsp.main import main, parser


class _Lsp(click.Command):
    """Passes its arguments to `tabspec-lsp`, and shows its help."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(parser(ctx.command_path).format_help())


@click.command("lsp", cls=_Lsp, add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def lsp_command(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the language server."""
    main(list(arguments), prog=ctx.command_path)
