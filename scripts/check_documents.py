"""Hold the documents against the code: `python scripts/check_documents.py` complains, `--write` mends what is made.

- docs/reference/commands.md is the `--help` of every command, docs/reference/settings.md is made from the settings'
  fields, docs/decisions/README.md from the decisions' titles and status, docs/benchmarks/README.md and the tables of
  README.md from the results (`make results`).
- docs/reference/protocol.md names every message of the language server's own, and every field of its status.
- Every `make` target and every `tabspec` command that README.md or a page of docs/guide names must exist.
- Every link between documents leads to a file, and to a heading in it; every page of docs that the code names exists,
  and every module that a page names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import settings_table
from make_results import page as benchmarks_page
from make_results import readme, unused_files

from tabspec.cli.main import tabspec

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100  # of help texts: what fits a page of documentation
CODE = (".py", ".sh", ".lua", ".ts", ".toml", ".txt", ".json", ".cpp", ".inl", ".h")
PAGE = re.compile(
    r"(?<![\w/.])docs/(?:guide|design|contribute|reference|benchmarks|decisions|images)/[\w./-]+\.(?:md|svg)\b"
)
# Pages and modules that Markdown pages and the product name.
FILE = re.compile(r"(?<![\w/.-])(?:docs|lsp|scripts|tabspec|tests)/[\w./-]+\.(?:md|py|svg)\b")
PRODUCT = ("lsp", "tabspec")
# They name files as they were.
PAST = ("CHANGELOG.md", "docs/benchmarks/README.md")


def commands_page() -> str:
    """docs/reference/commands.md: the help of every command, as printed."""
    parts = ["# Commands\n\nMade from `--help` by `scripts/check_documents.py --write`: do not edit.\n"]
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


def decisions_page() -> str:
    """docs/decisions/README.md: every decision with its date, title and status."""
    rows = []
    for page in sorted((ROOT / "docs" / "decisions").glob("20*.md")):
        text = page.read_text(encoding="utf-8")
        title = re.sub(r"^[\d-]+: ", "", text.partition("\n")[0].removeprefix("# "))
        status = re.search(r"\*\*Status\*\*: (\w+)", text)
        rows.append(f"| {page.name[:10]} | [{title}]({page.name}) | {status.group(1) if status else ''} |\n")
    return _DECISIONS + "".join(rows)


_DECISIONS = """\
# Decisions

Why things are as they are, and what was tried and dropped: a page at most each, with status, context, decision and
consequences. Figures in them are those on which the decision was made; current ones are in
[benchmarks](../benchmarks/README.md). Made by `scripts/check_documents.py --write`: do not edit.

| date | decision | status |
|---|---|---|
"""


def tracked(*suffixes: str) -> list[Path]:
    """The repository's own files with these endings, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for name in sorted(set(names)) if (path := ROOT / name).suffix in suffixes and path.is_file()]


def name_faults() -> Iterator[str]:
    """Targets and commands that the pages for users name, and that are not there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    names = set(tabspec.list_commands(click.Context(tabspec)))
    for page in (ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))):
        text, shown = page.read_text(encoding="utf-8"), page.relative_to(ROOT)
        for name in sorted(set(re.findall(r"^    make ([a-z-]+)", text, re.MULTILINE)) - targets):
            yield f"{shown} names `make {name}`, which the Makefile has not"
        for name in sorted(set(re.findall(r"^    tabspec ([a-z]+)", text, re.MULTILINE)) - names):
            yield f"{shown} names `tabspec {name}`, which is no command"


def link_faults() -> Iterator[str]:
    """Links of Markdown pages that lead nowhere."""
    for page in tracked(".md"):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue  # another site's
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if not target.exists():
                yield f"{page.relative_to(ROOT)} links to {link}, which is not there"
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                yield f"{page.relative_to(ROOT)} links to {link}: no such heading"


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def mention_faults() -> Iterator[str]:
    """Files of the repository that pages, code and configuration name, and that are not there."""
    for file in tracked(*CODE, ".md"):
        shown = file.relative_to(ROOT)
        pattern = FILE if file.suffix == ".md" or shown.parts[0] in PRODUCT else PAGE
        for name in sorted(set(pattern.findall(file.read_text("utf-8", "replace")))):
            if not (ROOT / name).exists() and shown.as_posix() not in PAST:
                yield f"{shown} names {name}, which is not there"


def protocol_faults() -> Iterator[str]:
    """Messages and status fields of the language server that its page does not name."""
    page = (ROOT / "docs" / "reference" / "protocol.md").read_text(encoding="utf-8")
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "lsp").rglob("*.py"))
    names = set(re.findall(r'"((?:tabspec|textDocument)/\w+|tabspec\.\w+)"', source))
    status = next((ROOT / "lsp").rglob("status.py")).read_text(encoding="utf-8")
    names |= set(re.findall(r'^ +"(\w+)":', status, re.MULTILINE))
    for name in sorted(names):
        if name not in page:
            yield f"docs/reference/protocol.md does not name {name}"


def main() -> int:
    write = "--write" in sys.argv[1:]
    faults = [*name_faults(), *link_faults(), *mention_faults(), *protocol_faults()]
    faults += [
        f"docs/benchmarks/data/{name} is in no section of docs/benchmarks/sections.toml" for name in unused_files()
    ]
    made = {"docs/reference/commands.md": commands_page(), "docs/reference/settings.md": settings_table.table()}
    made |= {"docs/decisions/README.md": decisions_page()}
    made |= {"docs/benchmarks/README.md": benchmarks_page(), "README.md": readme()}
    for path, page in made.items():
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
