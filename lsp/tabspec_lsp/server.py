"""The language server: LSP's messages, mapped to `CompletionService`. docs/reference/protocol.md lists the messages."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException

from tabspec import __version__
from tabspec.text import Position, PositionEncoding
from tabspec_lsp.models import ModelHost, ModelState, Open, open_model
from tabspec_lsp.options import CompletionMode, Options, unknown_names, without_user_only
from tabspec_lsp.service import CompletionService, Offered
from tabspec_lsp.state.workspace import Workspace
from tabspec_lsp.transport import items
from tabspec_lsp.transport.frames import FIRST_BODY_BYTES, MAX_BODY_BYTES, FrameParser
from tabspec_lsp.transport.front import Front
from tabspec_lsp.transport.liveness import ProcessWatch
from tabspec_lsp.transport.progress import ModelProgress
from tabspec_lsp.transport.protocol import TabspecProtocol, converter, text_range
from tabspec_lsp.transport.streams import Output, Read

if TYPE_CHECKING:
    from tabspec_lsp.state.recorder import Recorder

log = logging.getLogger(__name__)

STATUS = "tabspec/status"
DOCUMENT = "tabspec/document"
STATUS_CHANGED = "tabspec/statusChanged"
CURSOR_RESTED = "tabspec/cursorRested"
DID_SHOW = "textDocument/didShowCompletion"
DID_PARTLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"

# A status line need not change more often than it can be read.
_STATUS_S = 0.25


class TabspecServer(Front):
    """One client's server. To be made inside the running loop; ``options`` are those of the command line."""

    protocol: TabspecProtocol

    def __init__(self, options: Options, recorder: Recorder | None = None, open_model: Open = open_model) -> None:
        super().__init__("tabspec", __version__, protocol_cls=TabspecProtocol, converter_factory=converter)
        self.workspace_rules = Workspace(self._rules_changed, self.say)
        self.service = CompletionService(
            open_model, self, self.workspace_rules.ignored, recorder, lambda: self.workspace_rules.folders
        )
        self.base = options  # from the command line and the initialization options
        self.exit_code: int | None = None
        self._output: Output | None = None
        self._progress = ModelProgress(self)
        self._stopped = asyncio.Event()
        self._watch_client: ProcessWatch | None = None
        self._status_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lost_told: set[str] = set()
        self._problems: list[str] = []
        self._refused: set[str] = set()  # settings of the workspace that were reported as ignored
        register(self)

    # --- running --------------------------------------------------------------------------------------------------

    async def serve(self, read: Read, output: Output) -> int:
        """Serve one client until it says `exit`, goes away, or dies. The process's exit code."""
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
        if self.exit_code is None:  # the client has gone without a word
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
                # Each request gets to take its snapshot before the next message can change the document.
                await asyncio.sleep(0)
                try:
                    await output.drain()
                except ConnectionError as error:
                    log.warning("%s", error)
                    return
        log.info("the client has closed its end")

    def watch_client(self, pid: int | None) -> None:
        """End `serve` when this process ends."""
        if pid is not None:
            self._watch_client = ProcessWatch(pid, lambda: self.stop(1))

    def stop(self, code: int) -> None:
        """End `serve` with this exit code."""
        if self.exit_code is None:
            self.exit_code = code
        self._stopped.set()

    def soon(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run this beside everything else; what it raises is logged."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s", error, exc_info=error)

    # --- what the client is told ----------------------------------------------------------------------------------

    def say(self, text: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Show the user a message."""
        log.warning("%s", text)
        self.window_show_message(types.ShowMessageParams(kind, f"tabspec: {text}"))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Faults of the server's own are logged; a user can do nothing about them at the next keystroke."""
        log.error("%s: %s", getattr(source, "__name__", source), error)

    def model_changed(self, host: ModelHost) -> None:
        self._progress.model_changed(host)
        if host.state is ModelState.READY:
            # All is imported by now: 50,000 objects that are there to stay. To look through them for garbage stops
            # everything for 30 ms, once in about a thousand requests.
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
        """A message could not be read. If it was a change, documents would differ from the client's from here on."""
        log.warning("lost a message: %s", problem)
        self.service.distrust(uri)
        self.tell_out_of_step()

    def tell_out_of_step(self) -> None:
        """Say it if documents have become unknown since this was called last."""
        lost = set(self.service.documents.out_of_step)
        new, self._lost_told = lost - self._lost_told, lost
        if new:
            self.say("a change from the editor could not be followed; reopen the file to get suggestions in it again.")

    # --- settings -------------------------------------------------------------------------------------------------

    def use_at_start(self, values: object) -> None:
        """Use these initialization options, on top of the command line's."""
        self.base, self._problems = self.base.updated(values)
        known = "docs/reference/settings.md lists all"
        self._problems += [f"unknown setting {name!r}; {known}" for name in unknown_names(values)]
        self.service.configure(self.base)

    def use(self, values: object) -> None:
        """Use these settings of the client's configuration, on top of those at start.

        Unknown ones are no mistake: the section may hold the editor plugin's own, too. The model is not among them.
        """
        values, refused = without_user_only(values)
        for name, value in refused.items():
            if value != getattr(self.base.server, name) and name not in self._refused:
                self._refused.add(name)
                self.say(
                    f"the setting {name} is ignored here, since it may be the opened folder's. Set it with --{name}, "
                    "or in the initialization options."
                )
        options, problems = self.base.updated(values)
        self._tell(problems)
        self.service.configure(options)

    def _tell(self, problems: list[str]) -> None:
        """Report settings that cannot be used, all in one message."""
        if problems:
            self.say("; ".join(problems) + ". The default is used.")

    async def pull_settings(self) -> None:
        """Ask the client for its settings, if it has any to give."""
        capabilities = self.client_capabilities.workspace
        if not (capabilities and capabilities.configuration):
            return
        item = types.ConfigurationItem(section="tabspec")
        try:
            (values,) = await self.workspace_configuration_async(types.ConfigurationParams([item]))
        except (JsonRpcException, TypeError, ValueError) as error:
            log.warning("the client gives no settings: %s", error)
            return
        self.use(values)

    async def started(self) -> None:
        """The client has sent `initialized`."""
        self._tell(self._problems)  # not before the client is ready for messages
        await asyncio.gather(self._progress.start(), self.pull_settings(), self._watch())

    async def _watch(self) -> None:
        """Ask to be told when ignore rules or settings change, if the client wants to be asked."""
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
            log.warning("the client does not tell of changes: %s", error)


def register(server: TabspecServer) -> None:
    """Give the server its features."""
    feature, command = server.feature, server.command
    feature(types.INITIALIZE)(initialize)
    feature(types.INITIALIZED)(initialized)
    feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(inline_completion)
    feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
    feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)
    feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_workspace_folders)
    feature(DID_SHOW)(did_show_completion)
    feature(DID_PARTLY_ACCEPT)(did_partially_accept_completion)
    feature(CURSOR_RESTED)(cursor_rested)
    feature(STATUS)(status)
    feature(DOCUMENT)(document)
    command(items.ACCEPTED)(accepted)
    command(items.REJECTED)(rejected)


# --- the features -----------------------------------------------------------------------------------------------------


def initialize(ls: TabspecServer, params: types.InitializeParams) -> None:
    capabilities = params.capabilities
    encoding = ServerCapabilitiesBuilder.choose_position_encoding(capabilities)
    ls.service.documents.encoding = PositionEncoding(str(getattr(encoding, "value", encoding)))
    ls.watch_client(params.process_id)
    ls.use_at_start(params.initialization_options)
    text = capabilities.text_document
    mode = ls.service.options.server.completion
    menu_only = mode is CompletionMode.AUTO and not (text and text.inline_completion)
    if menu_only or mode is CompletionMode.ALWAYS:
        ls.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(completion)
    ls.workspace_rules.use(_folders(ls))


def initialized(ls: TabspecServer, params: types.InitializedParams) -> None:
    ls.soon(ls.started())


async def inline_completion(ls: TabspecServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    info = params.context.selected_completion_info
    selected = (text_range(info.range), info.text) if info else None
    explicit = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
    offered = await _complete(ls, params.text_document.uri, params.position, selected, explicit=explicit)
    if offered is None:
        return types.InlineCompletionList(items=[])
    offers = offered.offers
    ls.protocol.after_response(lambda: ls.service.returned(offers[0]))
    encoding = ls.service.encoding
    if offered.selected is None:
        made = [items.inline_item(offered.context, each.suggestion, each.id, encoding) for each in offers]
    else:
        made = [
            items.inline_item_behind(offered.document, offered.selected, each.suggestion, each.id, encoding)
            for each in offers
        ]
    return types.InlineCompletionList(items=made)


async def completion(ls: TabspecServer, params: types.CompletionParams) -> types.CompletionList:
    offered = await _complete(ls, params.text_document.uri, params.position)
    if offered is None:
        return types.CompletionList(is_incomplete=True, items=[])
    offer = offered.offers[0]
    ls.protocol.after_response(lambda: ls.service.returned(offer))
    item = items.completion_item(offered.context, offer.suggestion, offer.id, ls.service.encoding)
    return types.CompletionList(is_incomplete=True, items=[item])


async def _complete(
    ls: TabspecServer, uri: str, position: types.Position, selected: Any = None, *, explicit: bool = False
) -> Offered | None:
    return await ls.service.complete(uri, Position(position.line, position.character), selected, explicit=explicit)


def cursor_rested(ls: TabspecServer, params: Any) -> None:
    uri, at = (params.get(name) if isinstance(params, dict) else None for name in ("uri", "position"))
    line, character = (at.get(name) if isinstance(at, dict) else None for name in ("line", "character"))
    if isinstance(uri, str) and isinstance(line, int) and isinstance(character, int):
        ls.service.rested(uri, Position(line, character))


def did_show_completion(ls: TabspecServer, params: Any) -> None:
    ls.service.told_shown(_offer_id(params))


def did_partially_accept_completion(ls: TabspecServer, params: Any) -> None:
    length = params.get("acceptedLength") if isinstance(params, dict) else None
    if isinstance(length, int):
        ls.service.told_partly_accepted(_offer_id(params), length)


def accepted(ls: TabspecServer, *args: Any) -> None:
    ls.service.told_accepted(args[-1] if args else None)


def rejected(ls: TabspecServer, *args: Any) -> None:
    ls.service.told_rejected(args[-1] if args else None)


def did_change_configuration(ls: TabspecServer, params: types.DidChangeConfigurationParams) -> None:
    workspace = ls.client_capabilities.workspace
    if workspace and workspace.configuration:
        ls.soon(ls.pull_settings())
    else:
        ls.use(params.settings)


def did_change_watched_files(ls: TabspecServer, params: types.DidChangeWatchedFilesParams) -> None:
    # Some clients report other files, too. (The constant for this name is in a module that is imported in a thread.)
    if any(".tabspecignore" in change.uri for change in params.changes):
        ls.workspace_rules.use(_folders(ls))


def did_change_workspace_folders(ls: TabspecServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    ls.workspace_rules.use(_folders(ls))


def status(ls: TabspecServer, params: Any) -> dict[str, Any]:
    return ls.service.status()


def document(ls: TabspecServer, params: Any) -> dict[str, Any] | None:
    uri = params.get("uri") if isinstance(params, dict) else None
    return ls.service.described(uri) if isinstance(uri, str) else None


def _folders(ls: TabspecServer) -> list[str]:
    return list(ls.workspace.folders) or ([ls.workspace.root_uri] if ls.workspace.root_uri else [])


def _offer_id(params: Any) -> object:
    """The id in the item that Copilot's notifications bring back: the last argument of its command."""
    for name in ("item", "command", "arguments"):
        params = params.get(name) if isinstance(params, dict) else None
    return params[-1] if isinstance(params, list) and params else None
