"""The messages of next edits. docs/design/next-edit-protocol.md describes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified, JsonRpcInvalidParams

from tabspec.errors import PositionError
from tabspec.text import Position
from tabspec_lsp.next_edits import OutdatedVersion
from tabspec_lsp.state.offers import Offer
from tabspec_lsp.transport import items
from tabspec_lsp.transport.front import Front
from tabspec_lsp.transport.parameters import fields, offer_id, place_in_document, position_of

NEXT_EDIT = "tabspec/nextEdit"
DID_JUMP = "tabspec/didJump"
COPILOT_EDIT = "textDocument/copilotInlineEdit"
DID_SHOW_EDIT = "textDocument/didShowInlineEdit"
DID_FOCUS = "textDocument/didFocus"


def register(server: Front) -> None:
    """Register all handlers with pygls."""
    server.feature(NEXT_EDIT)(next_edit)
    server.feature(COPILOT_EDIT)(copilot_inline_edit)
    server.feature(DID_SHOW_EDIT)(did_show_inline_edit)
    server.feature(DID_JUMP)(did_jump)
    server.feature(DID_FOCUS)(did_focus)


def register_code_actions(server: Front) -> None:
    """Offer next edits as code actions."""
    server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.Refactor])
    )(code_action)


async def next_edit(ls: Front, params: Any) -> dict[str, Any] | None:
    uri, position, version = place_in_document(params)
    (alone,) = fields(params, "editsOnly")
    with _as_response_errors():
        if alone is True:
            offers = await ls.service.next_edits.alone(uri, position, version)
        else:
            offers = await ls.service.next_edits.compete(uri, position, version)
    if not offers:
        return None
    _show_later(ls, offers[0])
    document = offers[0].context.document
    links = [items.chain_link(each, _encoding(ls), _version(offers[0], each)) for each in offers]
    return {"id": offers[0].id, "version": document.version, "chain": links}


async def copilot_inline_edit(ls: Front, params: Any) -> dict[str, Any]:
    with _as_response_errors():
        offers = await ls.service.next_edits.alone(*place_in_document(params), pause=True)
    if not offers:
        return {"edits": []}
    first = offers[0]
    _show_later(ls, first)
    return {"edits": [items.copilot_edit(first, _encoding(ls), first.document.version)]}


async def code_action(ls: Front, params: types.CodeActionParams) -> list[types.CodeAction]:
    """The next edit, if the user has asked for code actions. Automatic requests would light a bulb everywhere."""
    start, only = params.range.start, params.context.only
    if params.context.trigger_kind is types.CodeActionTriggerKind.Automatic:
        return []
    if only and not any(str(kind) in ("", types.CodeActionKind.Refactor.value) for kind in only):
        return []
    with _as_response_errors():
        uri, position = params.text_document.uri, Position(start.line, start.character)
        offers = await ls.service.next_edits.alone(uri, position, asked=False)
    if not offers:
        return []
    first = offers[0]
    _show_later(ls, first)
    line = first.document.position(first.change.offset).line if first.uri == uri else None
    return [items.code_action(first, _encoding(ls), line)]


def did_show_inline_edit(ls: Front, params: Any) -> None:
    ls.service.feedback.shown(offer_id(params), edit=True)


def did_jump(ls: Front, params: Any) -> None:
    ls.service.feedback.jumped(offer_id(params))


def did_focus(ls: Front, params: Any) -> None:
    document, at = fields(params, "textDocument", "position")
    (uri,) = fields(document, "uri")
    place = position_of(at)
    if isinstance(uri, str) and place is not None:
        ls.service.rested(uri, place)


def _show_later(ls: Front, offer: Offer) -> None:
    ls.after_response(lambda: ls.service.feedback.returned(offer))


def _encoding(ls: Front) -> Any:
    return ls.service.documents.encoding


def _version(first: Offer, link: Offer) -> int:
    """The version of a link's document without the edits of the chain."""
    documents = (first.context.document, *first.context.others)
    return next(each.version for each in documents if each.uri == link.uri)


@contextmanager
def _as_response_errors() -> Iterator[None]:
    """Errors of the service as those of JSON-RPC."""
    try:
        yield
    except PositionError as error:
        raise JsonRpcInvalidParams(str(error)) from None
    except OutdatedVersion as error:
        raise JsonRpcContentModified(str(error)) from None
