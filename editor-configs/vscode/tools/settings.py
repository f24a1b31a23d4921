"""The language server's settings, written into this extension: package.json, src/engine-settings.json and README.md.

    python tools/settings.py            writes them
    python tools/settings.py --check    says whether they are up to date (exit status 1 if not)

`tabspec_lsp` must be importable. The source is `tabspec_lsp.options`, which the server itself reads.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import Field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tabspec_lsp.options import USER_ONLY, all_fields

HERE = Path(__file__).resolve().parent.parent
TITLE = "tabspec: suggestions"
# What the extension does itself: it asks or does not, wants notifications if it shows them, tells what it has shown,
# and requests next edits or does not.
OWN = {"enabled", "status_notifications", "completion", "shown", "next_edits"}


def camel_case(name: str) -> str:
    """max_lines -> maxLines, as VS Code's settings are written."""
    return re.sub("_(.)", lambda match: match[1].upper(), name)


def schema(item: Field[Any], order: int) -> dict[str, Any]:
    """One setting as VS Code's JSON schema."""
    default, meta = item.default, item.metadata
    # VS Code takes settings of the scope "machine" from the user only, and not from a workspace.
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    entry: dict[str, Any] = {
        "order": order,
        "type": "string" if isinstance(default, StrEnum) else kinds[type(default)],
        "default": default,
        "scope": "machine" if item.name in USER_ONLY else "window",
        "markdownDescription": meta["doc"],
    }
    if isinstance(default, StrEnum):
        entry["enum"] = [str(value) for value in type(default)]
    if meta["low"] is not None:
        entry["minimum"] = meta["low"]
    if meta["high"] is not None:
        entry["maximum"] = meta["high"]
    return entry


def row(name: str, entry: dict[str, Any]) -> str:
    """One setting as a row of the README's table."""
    allowed = ""
    if "enum" in entry:
        allowed = ", ".join(f"`{value}`" for value in entry["enum"])
    elif "minimum" in entry:
        allowed = f"{entry['minimum']} to {entry['maximum']}"
    described = re.sub(r"`#(.+?)#`", r"`\1`", entry["markdownDescription"]).replace("|", "\\|")
    return f"| `{name}` | `{json.dumps(entry['default'])}` | {allowed} | {described} |"


def written() -> dict[Path, str]:
    """The files as they should be."""
    package_file, readme_file = HERE / "package.json", HERE / "README.md"
    package = json.loads(package_file.read_text("utf-8"))
    engine = [item for item in all_fields() if item.name not in OWN]
    generated = {f"tabspec.{camel_case(item.name)}": schema(item, order) for order, item in enumerate(engine)}
    own = next(part for part in package["contributes"]["configuration"] if part["title"] != TITLE)
    package["contributes"]["configuration"] = [own, {"title": TITLE, "properties": generated}]
    restricted = [name for name, entry in (own["properties"] | generated).items() if entry["scope"] == "machine"]
    package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = restricted
    rows = [row(name, entry) for name, entry in (own["properties"] | generated).items()]
    table = "\n".join(["| setting | default | allowed | what it is |", "|---|---|---|---|", *rows])
    readme = re.sub(
        r"(?<=<!-- settings -->\n).*?(?=\n<!-- /settings -->)",
        lambda _: table,
        readme_file.read_text("utf-8"),
        flags=re.S,
    )
    names = [camel_case(item.name) for item in engine]
    return {
        package_file: json.dumps(package, indent=2, ensure_ascii=False) + "\n",
        HERE / "src" / "engine-settings.json": json.dumps(names, indent=2) + "\n",
        readme_file: readme,
    }


def main() -> int:
    stale = [path for path, text in written().items() if path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(HERE)} is not up to date: run make settings", file=sys.stderr)
        return 1 if stale else 0
    for path, text in written().items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
