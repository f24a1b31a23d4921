"""The language server of one client: its life cycle, and what it reports to the client."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tabspec import __version__
from tabspec_lsp.models import ModelHost, ModelState, Open, open_model
from tabspec_lsp.options import Options
from tabspec_lsp.service import CompletionService
from tabspec_lsp.state.workspace import Workspace
from tabspec_lsp.transport import features
from tabspec_lsp.transport.frames import FIRST_BODY_BYTES, MAX_BODY_BYTES, FrameParser
from tabspec_lsp.transport.front import Front
from tabspec_lsp.transport.liveness import ProcessWatch
from tabspec_lsp.transport.progress import ModelProgress
from tabspec_lsp.transport.protocol import TabspecProtocol, converter
from tabspec_lsp.transport.settings import ClientSettings
from tabspec_lsp.transport.streams import Output, Read

if TYPE_CHECKING:
    from tabspec_lsp.state.recorder import Recorder

log = logging.getLogger(__name__)

STATUS_CHANGED = "tabspec/statusChanged"

# A status line that changes more often cannot be read.
_STATUS_S = 0.25


class TabspecServer(Front):
    """The server of one client. Must be created inside the running loop. ``options`` come from the command line."""

    protocol: TabspecProtocol

    def __init__(self, options: Options, recorder: Recorder | None = None, open_model: Open = open_model) -> None:
        super().__init__("tabspec", __version__, protocol_cls=TabspecProtocol, converter_factory=converter)
        self.workspace_rules = Workspace(self._rules_changed, self.say)
        self.service = CompletionService(
            open_model, self, self.workspace_rules.ignored, recorder, lambda: self.workspace_rules.folders
        )
        self.settings = ClientSettings(self, options, self.service.configure, self.say)
        self.exit_code: int | None = None
        self._output: Output | None = None
        self._progress = ModelProgress(self)
        self._stopped = asyncio.Event()
        self._watch_client: ProcessWatch | None = None
        self._status_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._out_of_step: set[str] = set()  # documents that were reported
        features.register(self)

    # --- running --------------------------------------------------------------------------------------------------

    async def serve(self, read: Read, output: Output) -> int:
        """Serve until the client sends `exit`, closes the connection, or dies. Returns the process's exit code."""
        self._output = output
        self.protocol.set_writer(output)
        reading = asyncio.create_task(self._read(read, output))
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait([reading, stopped], return_when=asyncio.FIRST_COMPLETED)
        if reading.done() and (error := reading.exception()):
            log.error("reading from the client failed: %s", error, exc_info=error)
        for task in (reading, stopped, *self._tasks):
            task.cancel()
        if self._status_timer:
            self._status_timer.cancel()
        if self._watch_client:
            self._watch_client.close()
        self.workspace_rules.close()
        await self.service.close()
        output.close()
        if self.exit_code is None:  # the client has closed the connection without `exit`
            self.exit_code = 0 if self.protocol._shutdown else 1
        return self.exit_code

    async def _read(self, read: Read, output: Output) -> None:
        parser = FrameParser(FIRST_BODY_BYTES)
        while data := await read():
            for value in parser.feed(data):
                await self.workspace_rules.settled()
                self.protocol.handle_value(value)
                if self.protocol.initialized:
                    parser.max_body = MAX_BODY_BYTES
                if self.exit_code is not None:
                    return
                # A request takes its snapshot, and then asks the engine, before a message can change the document.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                try:
                    await output.drain()
                except ConnectionError as error:
                    log.warning("%s", error)
                    return
        log.info("the client has closed its end")

    def watch_client(self, pid: int | None) -> None:
        """End `serve` when process ``pid`` ends."""
        if pid is not None:
            self._watch_client = ProcessWatch(pid, lambda: self.stop(1))

    def stop(self, code: int) -> None:
        """End `serve` with this exit code."""
        if self.exit_code is None:
            self.exit_code = code
        self._stopped.set()

    def soon(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s", error, exc_info=error)

    def after_response(self, callback: Callable[[], None]) -> None:
        self.protocol.after_response(callback)

    # --- what the client gets to know -----------------------------------------------------------------------------

    def say(self, text: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        log.warning("%s", text)
        self.window_show_message(types.ShowMessageParams(kind, f"tabspec: {text}"))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log an error of the server itself, instead of showing it: the user cannot do anything about it."""
        log.error("%s: %s", getattr(source, "__name__", source), error)

    def model_changed(self, host: ModelHost) -> None:
        self._progress.model_changed(host)
        if host.state is ModelState.READY:
            # All modules are imported: 50,000 objects that stay. Scanning them for garbage takes 30 ms about once in a
            # thousand requests, and blocks everything.
            gc.freeze()

    def _rules_changed(self) -> None:
        self.service.rules_changed()

    def troubled(self, detail: str) -> None:
        self.say(f"no suggestions: {detail}")

    def status_changed(self) -> None:
        if self.service.options.server.status_notifications and self._status_timer is None:
            loop = asyncio.get_running_loop()
            self._status_timer = loop.call_later(_STATUS_S, self._send_status)

    def _send_status(self) -> None:
        self._status_timer = None
        self.protocol.notify(STATUS_CHANGED, self.service.status())

    def lost_message(self, uri: str | None, problem: str) -> None:
        log.warning("lost a message: %s", problem)
        self.service.distrust(uri)
        self.report_out_of_step()

    def report_out_of_step(self) -> None:
        lost = set(self.service.documents.out_of_step)
        new, self._out_of_step = lost - self._out_of_step, lost
        if new:
            self.say("a change from the editor could not be followed; reopen the file to get suggestions in it again.")

    # --- after initialization -------------------------------------------------------------------------------------

    async def started(self) -> None:
        await asyncio.gather(self._progress.start(), self.settings.started(), self._watch())

    async def _watch(self) -> None:
        """Register for changes of ignore rules and settings, if the client supports that."""
        workspace = self.client_capabilities.workspace
        files = workspace and workspace.did_change_watched_files
        settings = workspace and workspace.did_change_configuration
        wanted = []
        if files and files.dynamic_registration:
            watcher = types.FileSystemWatcher(glob_pattern="**/.tabspecignore")
            options = types.DidChangeWatchedFilesRegistrationOptions([watcher])
            wanted.append(types.Registration("tabspec-ignore", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))
        if settings and settings.dynamic_registration:
            section = types.DidChangeConfigurationRegistrationOptions(section="tabspec")
            wanted.append(types.Registration("tabspec-settings", types.WORKSPACE_DID_CHANGE_CONFIGURATION, section))
        try:
            if wanted:
                await self.client_register_capability_async(types.RegistrationParams(wanted))
        except JsonRpcException as error:
            log.warning("the client does not report changes: %s", error)
