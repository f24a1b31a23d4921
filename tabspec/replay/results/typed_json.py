"""JSON values as dataclasses, checked against their annotations."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from tabspec.errors import InputError

_KINDS = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
_SIGNED = frozenset({"seed", "reward"})
_LARGEST = 2**63  # far above any count of a replay; keeps sums and charts finite


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def read_as(value: Any, kind: Any, where: str) -> Any:
    """``value`` as ``kind``: a dataclass, a tuple or dict of these, an optional, or a plain type.

    ``where`` names the value in messages. Unknown fields are ignored. Numbers must not be negative, except a seed and a
    reward. Raises `InputError`.
    """
    if value is MISSING:
        raise InputError(f"{where} is missing")
    if is_dataclass(kind) and isinstance(kind, type):
        return _read_record(value, kind, where)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):  # X | None
        return None if value is None else read_as(value, get_args(kind)[0], where)
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where}: expected a list")
        return tuple(read_as(entry, get_args(kind)[0], f"{where}[{i}]") for i, entry in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected an object")
        return {key: read_as(entry, get_args(kind)[1], f"{where}.{key}") for key, entry in value.items()}
    return _read_plain(value, kind, where)


def _read_record(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an object")
    hints, found = _hints(kind), {}
    for item in fields(kind):
        optional = item.default is not MISSING or item.default_factory is not MISSING
        if item.name in value or not optional:
            found[item.name] = read_as(value.get(item.name, MISSING), hints[item.name], f"{where}.{item.name}")
    return kind(**found)


def _read_plain(value: Any, kind: Any, where: str) -> Any:
    if isinstance(value, int | float) and abs(value) > _LARGEST:
        raise InputError(f"{where}: is too large a number")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where}: expected {_KINDS[kind]}")
    if kind in (int, float) and value < 0 and where.rpartition(".")[2] not in _SIGNED:
        raise InputError(f"{where}: is negative")
    return value
