"""The requests, notifications and commands of LSP that the server handles. docs/reference/protocol.md lists them."""

from __future__ import annotations

from typing import Any

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder

from tabspec.text import Position, PositionEncoding
from tabspec_lsp.options import CompletionMode, NextEditMode
from tabspec_lsp.service import Offered
from tabspec_lsp.transport import edits, items
from tabspec_lsp.transport.front import Front
from tabspec_lsp.transport.parameters import fields, offer_id, position_of
from tabspec_lsp.transport.protocol import text_range

STATUS = "tabspec/status"
DOCUMENT = "tabspec/document"
CURSOR_RESTED = "tabspec/cursorRested"
DID_SHOW = "textDocument/didShowCompletion"
DID_PARTLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"


def register(server: Front) -> None:
    """Register all handlers with pygls."""
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
    edits.register(server)
    command(items.ACCEPTED)(accepted)
    command(items.REJECTED)(rejected)


# --- start and settings -----------------------------------------------------------------------------------------------


def initialize(ls: Front, params: types.InitializeParams) -> None:
    capabilities = params.capabilities
    encoding = ServerCapabilitiesBuilder.choose_position_encoding(capabilities)
    ls.service.documents.encoding = PositionEncoding(str(getattr(encoding, "value", encoding)))
    ls.watch_client(params.process_id)
    ls.settings.use_at_start(params.initialization_options)
    text = capabilities.text_document
    mode = ls.service.options.server.completion
    menu_only = mode is CompletionMode.AUTO and not (text and text.inline_completion)
    if menu_only or mode is CompletionMode.ALWAYS:
        ls.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(completion)
    if ls.service.options.server.next_edits is not NextEditMode.OFF:
        edits.register_code_actions(ls)
    ls.workspace_rules.use(_folders(ls))


def initialized(ls: Front, params: types.InitializedParams) -> None:
    ls.soon(ls.started())


def did_change_configuration(ls: Front, params: types.DidChangeConfigurationParams) -> None:
    if ls.settings.pulled:
        ls.soon(ls.settings.pull())
    else:
        ls.settings.use(params.settings)


def did_change_watched_files(ls: Front, params: types.DidChangeWatchedFilesParams) -> None:
    # Some clients report other files, too. (The module with a constant for this name is imported in a thread.)
    if any(".tabspecignore" in change.uri for change in params.changes):
        ls.workspace_rules.use(_folders(ls))


def did_change_workspace_folders(ls: Front, params: types.DidChangeWorkspaceFoldersParams) -> None:
    ls.workspace_rules.use(_folders(ls))


def _folders(ls: Front) -> list[str]:
    return list(ls.workspace.folders) or ([ls.workspace.root_uri] if ls.workspace.root_uri else [])


# --- suggestions ------------------------------------------------------------------------------------------------------


async def inline_completion(ls: Front, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    info = params.context.selected_completion_info
    selected = (text_range(info.range), info.text) if info else None
    explicit = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
    offered = await _complete(ls, params.text_document.uri, params.position, selected, explicit=explicit, inline=True)
    if offered is None:
        return types.InlineCompletionList(items=[])
    offers = offered.offers
    ls.after_response(lambda: ls.service.feedback.returned(offers[0]))
    encoding = ls.service.documents.encoding
    if offered.selected is None:
        made = [items.inline_item(offered.context, each.suggestion, each.id, encoding) for each in offers]
    else:
        made = [
            items.inline_item_after_selected(offered.document, offered.selected, each.suggestion, each.id, encoding)
            for each in offers
        ]
    return types.InlineCompletionList(items=made)


async def completion(ls: Front, params: types.CompletionParams) -> types.CompletionList:
    offered = await _complete(ls, params.text_document.uri, params.position)
    if offered is None:
        return types.CompletionList(is_incomplete=True, items=[])
    offer = offered.offers[0]
    ls.after_response(lambda: ls.service.feedback.returned(offer))
    item = items.completion_item(offered.context, offer.suggestion, offer.id, ls.service.documents.encoding)
    return types.CompletionList(is_incomplete=True, items=[item])


async def _complete(ls: Front, uri: str, position: types.Position, selected: Any = None, **how: bool) -> Offered | None:
    return await ls.service.complete(uri, Position(position.line, position.character), selected, **how)


def cursor_rested(ls: Front, params: Any) -> None:
    uri, at = fields(params, "uri", "position")
    place = position_of(at)
    if isinstance(uri, str) and place is not None:
        ls.service.rested(uri, place)


# --- what becomes of a suggestion -------------------------------------------------------------------------------------


def did_show_completion(ls: Front, params: Any) -> None:
    ls.service.feedback.shown(offer_id(params), edit=False)


def did_partially_accept_completion(ls: Front, params: Any) -> None:
    (length,) = fields(params, "acceptedLength")
    if isinstance(length, int):
        ls.service.feedback.partly_accepted(offer_id(params), length)


def accepted(ls: Front, *args: Any) -> None:
    ls.service.feedback.accepted(args[-1] if args else None)


def rejected(ls: Front, *args: Any) -> None:
    ls.service.feedback.rejected(args[-1] if args else None)


# --- state ------------------------------------------------------------------------------------------------------------


def status(ls: Front, params: Any) -> dict[str, Any]:
    return ls.service.status()


def document(ls: Front, params: Any) -> dict[str, Any] | None:
    (uri,) = fields(params, "uri")
    return ls.service.documents.described(uri) if isinstance(uri, str) else None
