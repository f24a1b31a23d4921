"""Hold the documents against the code: `python scripts/check_documents.py` complains, `--write` mends.

- docs/commands.md is the `--help` of every command.
- docs/settings.md is made from the settings' fields.
- Every `make` target and every `tabspec` command that README.md names must exist.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tabspec.cli.main import tabspec

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100  # of help texts: what fits a page of documentation


def commands_page() -> str:
    """docs/commands.md: the help of every command, as printed."""
    parts = ["# Commands\n\nMade from `--help` by `scripts/check_documents.py --write`.\n"]
    for name, command in walk(tabspec, "tabspec"):
        context = click.Context(command, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH)
        parts.append(f"## {name}\n\n```\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from walk(found, f"{name} {child}")


def settings_page() -> str:
    """docs/settings.md, as the language server prints it."""
    printed = subprocess.run(
        [sys.executable, "-m", "tabspec_lsp.settings_table"], capture_output=True, text=True, check=True
    )
    return printed.stdout


def readme_faults() -> Iterator[str]:
    """What README.md names and is not there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for target in sorted(set(re.findall(r"^\s*make ([a-z-]+)", readme, re.MULTILINE)) - targets):
        yield f"README.md names `make {target}`, which the Makefile has not"
    names = set(tabspec.list_commands(click.Context(tabspec)))
    for name in sorted(set(re.findall(r"^\s*tabspec ([a-z]+)", readme, re.MULTILINE)) - names):
        yield f"README.md names `tabspec {name}`, which is no command"
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        if not (ROOT / link).exists():
            yield f"README.md links to {link}, which is not there"


def main() -> int:
    write = "--write" in sys.argv[1:]
    faults = list(readme_faults())
    for path, page in (("docs/commands.md", commands_page()), ("docs/settings.md", settings_page())):
        file = ROOT / path
        if file.exists() and file.read_text(encoding="utf-8") == page:
            continue
        if write:
            file.write_text(page, encoding="utf-8")
        else:
            faults.append(f"{path} does not say what the code does; run `python scripts/check_documents.py --write`")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
