"""The workspace folders and what is to be left alone in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabspec.ignore import IgnoreRules


class Workspace:
    """The ignore rules of the client's workspace folders, read when they are first asked for."""

    def __init__(self) -> None:
        self._folders: tuple[str, ...] = ()
        self._rules: IgnoreRules | None = None
        self._known: dict[str, bool] = {}

    def use(self, folders: Iterable[str]) -> None:
        """Use these folders (URIs); read their rules again."""
        self._folders = tuple(folders)
        self._rules = None
        self._known.clear()

    @property
    def folders(self) -> list[Path]:
        """The folders' paths."""
        from tabspec.ignore import path_of

        return [Path(path_of(folder)) for folder in self._folders]

    def ignored(self, uri: str) -> bool:
        """Whether a document is to be left alone."""
        if uri not in self._known:
            # Not at the top: `initialize` is answered without pathspec, whose import takes 30 ms.
            from tabspec.ignore import IgnoreRules, path_of

            if self._rules is None:
                self._rules = IgnoreRules.read([Path(path_of(folder)) for folder in self._folders])
            self._known[uri] = self._rules.ignored(uri)
        return self._known[uri]
