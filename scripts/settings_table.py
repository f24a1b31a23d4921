"""The page docs/reference/settings.md, made from the settings in the code."""

from __future__ import annotations

from dataclasses import Field
from enum import StrEnum
from typing import Any

from tabspec_lsp.options import all_fields

_HEAD = """\
# Settings

Made by `scripts/check_documents.py --write`: do not edit. Editors send these settings to the language server as
initialization options, or with `workspace/configuration` in the section `tabspec`. Names may be in camelCase.

`model`, `edit_model` and `edit_format` decide where your text and your key are sent, and which text. They are read from
the initialization options only, and `model` also from the command line (`--model`). `workspace/configuration` may hold
settings of the opened folder, so these are ignored there and reported.

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
