"""The interface of the server for protocol, features, settings and progress bar. The server imports these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from tabspec_lsp.service import CompletionService
from tabspec_lsp.state.workspace import Workspace
from tabspec_lsp.transport.settings import ClientSettings


class Front(LanguageServer, ABC):
    """A pygls server with what its parts need."""

    service: CompletionService
    workspace_rules: Workspace
    settings: ClientSettings

    @abstractmethod
    async def started(self) -> None:
        """Handle the client's `initialized`."""

    @abstractmethod
    def watch_client(self, pid: int | None) -> None:
        """Stop the server when the process ``pid`` ends."""

    @abstractmethod
    def after_response(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after the response to the current request has been written. Not if the request fails."""

    @abstractmethod
    def soon(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run this as a task. Its errors are logged."""

    @abstractmethod
    def say(self, text: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Show a message to the user."""

    @abstractmethod
    def lost_message(self, uri: str | None, problem: str) -> None:
        """A message could not be read. It may have been a change of this document (None: of any document)."""

    @abstractmethod
    def report_out_of_step(self) -> None:
        """Show a message if documents have gone out of step since the last call."""

    @abstractmethod
    def stop(self, code: int) -> None:
        """Stop the server with this exit code."""
