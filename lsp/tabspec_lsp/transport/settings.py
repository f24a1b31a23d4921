"""The client's settings: initialization options, `workspace/configuration`, `workspace/didChangeConfiguration`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from tabspec_lsp.options import Options, unknown_names, without_user_only

log = logging.getLogger(__name__)


class ClientSettings:
    """Holds the client's settings, on top of the ``options`` of the command line.

    ``configure`` is called with the options that are in force from then on, ``say`` with messages for the user.
    """

    def __init__(
        self,
        server: LanguageServer,
        options: Options,
        configure: Callable[[Options], None],
        say: Callable[[str], None],
    ) -> None:
        self._server, self._configure, self._say = server, configure, say
        self._base = options  # from the command line and the initialization options
        self._problems: list[str] = []  # of the initialization options
        self._refused: set[str] = set()  # settings that were reported as ignored

    def use_at_start(self, values: object) -> None:
        """Use the initialization options. `started` reports problems, when the client is ready for messages."""
        self._base, self._problems = self._base.updated(values)
        known = "docs/reference/settings.md lists all"
        self._problems += [f"unknown setting {name!r}; {known}" for name in unknown_names(values)]
        self._configure(self._base)

    def use(self, values: object) -> None:
        """Use the settings of the client's configuration, on top of those at start.

        Unknown names are not reported, because the section may hold settings of the editor plugin. Settings that only
        the user may set are ignored and reported.
        """
        values, refused = without_user_only(values)
        for name, value in refused.items():
            if value != getattr(self._base.server, name) and name not in self._refused:
                self._refused.add(name)
                how = "with --model, or " if name == "model" else ""
                self._say(
                    f"the setting {name} is ignored here, since it may be the opened folder's. Set it {how}in the "
                    "initialization options."
                )
        options, problems = self._base.updated(values)
        self._report(problems)
        self._configure(options)

    async def started(self) -> None:
        """The client has sent `initialized`: report problems and ask for its settings."""
        self._report(self._problems)
        await self.pull()

    async def pull(self) -> None:
        """Ask the client for its settings, if it supports that."""
        if not self.pulled:
            return
        item = types.ConfigurationItem(section="tabspec")
        try:
            (values,) = await self._server.workspace_configuration_async(types.ConfigurationParams([item]))
        except (JsonRpcException, TypeError, ValueError) as error:
            log.warning("the client returns no settings: %s", error)
            return
        self.use(values)

    @property
    def pulled(self) -> bool:
        """Whether the client answers `workspace/configuration`."""
        workspace = self._server.client_capabilities.workspace
        return bool(workspace and workspace.configuration)

    def _report(self, problems: list[str]) -> None:
        """Show unusable settings to the user, all in one message."""
        if problems:
            self._say("; ".join(problems) + ". These values are not used.")
