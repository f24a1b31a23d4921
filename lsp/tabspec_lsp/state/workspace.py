"""The workspace folders and their ignore rules."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tabspec_lsp.threads import in_thread

if TYPE_CHECKING:
    from tabspec.ignore import IgnoreRules

log = logging.getLogger(__name__)

# Reading a few small files takes milliseconds; a lost network drive can take minutes.
READ_S = 2.0


class Workspace:
    """The ignore rules of the client's workspace folders. They are read in a thread; until then all files are ignored.

    ``changed`` is called when other rules are in force, ``say`` with a line for the user about rules that cannot be
    used.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None, say: Callable[[str], None] = log.warning) -> None:
        self._changed, self._say = changed, say
        self._folders: tuple[str, ...] = ()
        self._rules: IgnoreRules | None = None
        self._reading: asyncio.Task[None] | None = None
        self._reported: set[str] = set()
        self._late = False  # reading takes longer than `READ_S`

    def use(self, folders: Iterable[str]) -> None:
        """Use these folders (URIs) and read their rules. The old rules stay in force until the new ones are read."""
        self._folders = tuple(folders)
        if self._reading:
            self._reading.cancel()
        self._late = False
        self._reading = asyncio.ensure_future(self._read(self._folders))

    @property
    def folders(self) -> list[Path]:
        """The folders' paths."""
        from tabspec.ignore import path_of

        return [Path(path_of(folder)) for folder in self._folders]

    def ignored(self, uri: str) -> bool:
        """Whether a document must not be used."""
        return self._rules is None or self._rules.ignored(uri)

    async def settled(self) -> None:
        """Wait until the rules have been read. If that takes longer than `READ_S`, all files are ignored until then."""
        if self._reading and not self._reading.done() and not self._late:
            done, _ = await asyncio.wait([self._reading], timeout=READ_S)
            if not done:
                self._late = True
                self._put(
                    None, (f"the ignore rules could not be read within {READ_S:.0f} s: no suggestions until then",)
                )

    def close(self) -> None:
        """Stop reading."""
        if self._reading:
            self._reading.cancel()

    async def _read(self, folders: tuple[str, ...]) -> None:
        rules = await in_thread(_read, folders)
        self._put(rules, rules.problems)

    def _put(self, rules: IgnoreRules | None, problems: Iterable[str]) -> None:
        before, self._rules = self._rules, rules
        if before is None or rules is None or before.lines != rules.lines:
            self._changed()
        new = set(problems)
        for problem in sorted(new - self._reported):
            self._say(problem)
        self._reported = new


def _read(folders: tuple[str, ...]) -> IgnoreRules:
    # Imported here so that `initialize` is answered without pathspec, whose import takes 30 ms.
    from tabspec.ignore import IgnoreRules, path_of

    return IgnoreRules.read([Path(path_of(folder)) for folder in folders])
