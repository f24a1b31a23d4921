"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column to the left, the others, which are figures, to the right. There is no heading if
    all ``columns`` are "". Texts are printed as they are: files may have brackets in their names, which rich would read
    as markup."""
    table = Table(
        title=Text(title), title_justify="left", header_style="bold", pad_edge=False, show_header=any(columns)
    )
    for i, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
