"""Prints docs/reference/settings.md, made from the settings in the code: ``python -m tabspec_lsp.settings_table``."""

from __future__ import annotations

import sys
from dataclasses import Field
from enum import StrEnum
from typing import Any

from tabspec_lsp.options import all_fields

_HEAD = """\
# Settings

Made from the code by `python -m tabspec_lsp.settings_table`: do not edit. They are given to the language server as
initialization options or by `workspace/configuration` in the section `tabspec`; camelCase is understood, too.

`model` chooses where your text and key go. It is taken from the command line (`--model`) and the initialization
options only: `workspace/configuration` may hold settings of the opened folder, and a `model` there is ignored and
reported.

| setting | default | values | what it does |
|---|---|---|---|
"""


def table() -> str:
    """The whole page."""
    return _HEAD + "".join(_row(item) for item in all_fields())


def _row(item: Field[Any]) -> str:
    return f"| `{item.name}` | {_literal(item.default)} | {_values(item)} | {item.metadata['doc']} |\n"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value}`"


def _values(item: Field[Any]) -> str:
    default, low, high = item.default, item.metadata["low"], item.metadata["high"]
    if isinstance(default, StrEnum):
        return ", ".join(f"`{value.value}`" for value in type(default))
    if isinstance(default, bool):
        return "`true`, `false`"
    if isinstance(default, str):
        return "text"
    kind = "number" if isinstance(default, float) else "whole number"
    return kind if low is None or high is None else f"{kind}, {low:,} to {high:,}"


if __name__ == "__main__":
    sys.stdout.write(table())
