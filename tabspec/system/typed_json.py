"""JSON values as dataclasses, checked against their annotations."""

from __future__ import annotations

import math
import types
from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

_KINDS = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
_LARGEST = 2**63  # far above any count; keeps sums and charts finite


@cache
def _shape(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(kind), get_args(kind)


@cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """The type of each field of a dataclass, and whether a value must be given."""
    hints = get_type_hints(kind)
    return {
        item.name: (hints[item.name], item.default is MISSING and item.default_factory is MISSING)
        for item in fields(kind)
    }


def _in_message(key: str) -> str:
    """A key as messages show it: short, and on one line."""
    return repr(key[:40])[1:-1]


@dataclass(frozen=True, slots=True)
class JsonReader:
    """``strict``: fields that a dataclass does not have are refused; else they are ignored. ``signed``: names of the
    fields whose numbers may be negative (None: all)."""

    strict: bool = False
    signed: Collection[str] | None = None

    def read(self, value: Any, kind: Any, where: str) -> Any:
        """``value`` as ``kind``: a dataclass, a tuple or dict of these, an optional, or a plain type.

        ``where`` names the value in messages. Raises `ValueError`, which names the field.
        """
        if value is MISSING:
            raise ValueError(f"{where} is missing")
        if is_dataclass(kind) and isinstance(kind, type):
            return self._record(value, kind, where)
        origin, inner = _shape(kind)
        if origin in (Union, types.UnionType):  # X | None
            return None if value is None else self.read(value, inner[0], where)
        if origin is tuple:
            if not isinstance(value, list | tuple):
                raise ValueError(f"{where}: expected a list")
            if inner[-1] is not Ellipsis and len(value) != len(inner):
                raise ValueError(f"{where}: expected {len(inner)} values")
            kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
            return tuple(self.read(entry, kinds[i], f"{where}[{i}]") for i, entry in enumerate(value))
        if origin is dict:
            if not isinstance(value, dict):
                raise ValueError(f"{where}: expected an object")
            return {key: self.read(entry, inner[1], f"{where}.{_in_message(key)}") for key, entry in value.items()}
        return self._plain(value, kind, where)

    def _record(self, value: Any, kind: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: expected an object")
        known, found = _fields(kind), {}
        if self.strict and (unknown := value.keys() - known.keys()):
            raise ValueError(f"{where}: unknown field {min(unknown)[:40]!r}")
        for name, (inner, needed) in known.items():
            if needed or name in value:
                found[name] = self.read(value.get(name, MISSING), inner, f"{where}.{name}")
        return kind(**found)

    def _plain(self, value: Any, kind: Any, where: str) -> Any:
        if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST:
            value = float(value)
        if isinstance(value, int | float) and not abs(value) <= _LARGEST:  # also what is no number
            none = isinstance(value, float) and math.isnan(value)
            raise ValueError(f"{where}: is {'not' if none else 'too large'} a number")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{where}: expected {_KINDS[kind]}")
        signed = self.signed is None or where.rpartition(".")[2] in self.signed
        if kind in (int, float) and value < 0 and not signed:
            raise ValueError(f"{where}: is negative")
        return value
