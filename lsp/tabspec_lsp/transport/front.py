"""What protocol and progress bar need of the server: the server imports them, and not they the server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from tabspec_lsp.service import CompletionService


class Front(LanguageServer, ABC):
    """The server, as the rooms below it see it."""

    service: CompletionService

    @abstractmethod
    def soon(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run this beside everything else; what it raises is logged."""

    @abstractmethod
    def say(self, text: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Show the user a message."""

    @abstractmethod
    def lost_message(self, uri: str | None, problem: str) -> None:
        """A message could not be read. If it was a change, documents would differ from the client's from here on."""

    @abstractmethod
    def tell_out_of_step(self) -> None:
        """Show a message if documents have become unknown since the last call."""

    @abstractmethod
    def stop(self, code: int) -> None:
        """End the server with this exit code."""
