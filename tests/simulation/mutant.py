"""How a bug is planted: one piece of one function's source is replaced by another while a simulation runs.

A piece that is no longer in the source raises an error: then the bug has to be planted
anew, where it could be made today.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mutant:
    """``old`` becomes ``new`` in the function ``target``: "module:Class.function" of tabspec, or of tabspec_lsp
    with its whole name."""

    name: str
    target: str
    old: str
    new: str

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def planted(self) -> Iterator[None]:
        """While this is open, the bug is there."""
        module_name, _, path = self.target.partition(":")
        whole = module_name if module_name.startswith("tabspec_lsp.") else f"tabspec.{module_name}"
        module = importlib.import_module(whole)
        owner: Any = module
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        original = inspect.getattr_static(owner, name)
        setattr(owner, name, self._mutated(original, module))
        try:
            yield
        finally:
            setattr(owner, name, original)

    def _mutated(self, original: Any, module: Any) -> Any:
        wrapper = type(original) if isinstance(original, staticmethod | classmethod) else None
        function = original.__func__ if wrapper else original
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(self.old) != 1:
            raise LookupError(
                f"mutant {self.name!r}: {self.old!r} stands {source.count(self.old)} times in {self.target}"
            )
        code = compile(
            source.replace(self.old, self.new),
            inspect.getsourcefile(function) or self.target,
            "exec",
            __future__.annotations.compiler_flag,
        )
        made: dict[str, Any] = {}
        exec(code, function.__globals__, made)
        return made[function.__name__]
