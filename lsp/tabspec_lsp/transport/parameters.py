"""Parameters of messages that are not in LSP: plain JSON, in which anything may be missing. Pure functions."""

from __future__ import annotations

from typing import Any

from pygls.exceptions import JsonRpcInvalidParams

from tabspec.text import Position


def fields(params: Any, *names: str) -> list[Any]:
    """Fields of a JSON object, each None if it is missing or if ``params`` is not an object."""
    return [params.get(name) if isinstance(params, dict) else None for name in names]


def offer_id(params: Any) -> object:
    """The id of the item in a notification of Copilot's protocol: the last argument of the item's command."""
    for name in ("item", "command", "arguments"):
        (params,) = fields(params, name)
    return params[-1] if isinstance(params, list) and params else None


def position_of(value: Any) -> Position | None:
    """A position of LSP; None if it is not one."""
    line, character = fields(value, "line", "character")
    return Position(line, character) if _is_number(line) and _is_number(character) else None


def place_in_document(params: Any) -> tuple[str, Position, int | None]:
    """The document, the position and the version (None: not given) of a request. Raises `JsonRpcInvalidParams`."""
    document, at = fields(params, "textDocument", "position")
    uri, version = fields(document, "uri", "version")
    position = position_of(at)
    if not isinstance(uri, str):
        raise JsonRpcInvalidParams("textDocument.uri must be a string")
    if position is None:
        raise JsonRpcInvalidParams("position must have a line and a character, which are whole numbers")
    if version is not None and not _is_number(version):
        raise JsonRpcInvalidParams("textDocument.version must be a whole number")
    return uri, position, version


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
