"""The changes to pygls' protocol.

- Documents are tabspec's snapshots. pygls' workspace holds no text.
- If a notification cannot be understood, documents that may have changed go out of step.
- A callback can run after a response has been written, so that it does not delay the response.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import attrs
from cattrs import Converter
from lsprotocol import converters, types
from pygls.exceptions import JsonRpcContentModified, JsonRpcException, JsonRpcInternalError, JsonRpcInvalidParams
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
)
from pygls.protocol.language_server import lsp_method

from tabspec.text import Document, Position
from tabspec_lsp.state.documents import ContentChange, TextRange
from tabspec_lsp.transport.frames import Garbage
from tabspec_lsp.transport.front import Front

log = logging.getLogger(__name__)

_CHANGES = (types.TEXT_DOCUMENT_DID_OPEN, types.TEXT_DOCUMENT_DID_CHANGE, types.TEXT_DOCUMENT_DID_CLOSE)


def converter() -> Converter:
    """lsprotocol's converter. Unknown messages stay plain JSON; pygls would make a class for each object."""
    made = converters.get_converter()
    for fallback in (JsonRPCRequestMessage, JsonRPCNotification, JsonRPCResponseMessage):
        # Fields such as JSON-RPC's params are optional.
        made.register_structure_hook(
            fallback, lambda value, cls: cls(**{item.name: value.get(item.name) for item in attrs.fields(cls)})
        )
    return made


class TabspecProtocol(LanguageServerProtocol):
    """Handles one message at a time, as `FrameParser` yields them."""

    _server: Front

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initialized = False
        self._after: dict[str | int, Callable[[], None]] = {}

    def after_response(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after the response to the current request has been written. Not if the request fails."""
        if self.msg_id is not None:
            self._after[self.msg_id] = callback

    # --- messages ---------------------------------------------------------------------------------------------------

    def handle_value(self, value: Any) -> None:
        """Handle a JSON value from the client, or garbage. Never raises."""
        if isinstance(value, Garbage):
            self._fail(None, types.ErrorCodes.ParseError, value.problem)
            self._server.lost_message(None, value.problem)
            return
        try:
            self._handle(value)
        except Exception as error:
            method = value.get("method") if isinstance(value, dict) else None
            log.error("a message (%.60s) could not be handled: %s", method, type(error).__name__, exc_info=error)
            self._misunderstood(value, method, _id_of(value), JsonRpcInternalError(type(error).__name__))

    def _handle(self, value: Any) -> None:
        if not isinstance(value, dict) or value.get("jsonrpc") != self.VERSION:
            self._fail(_id_of(value), types.ErrorCodes.InvalidRequest, "not a JSON-RPC 2.0 message")
            return
        method, number = value.get("method"), _id_of(value)
        if method == types.CANCEL_REQUEST and _id_of(value.get("params")) is None:
            log.warning("a cancellation without a valid id")
            return
        if method == types.INITIALIZE and number is None:
            log.warning("an `initialize` without an id")
            return
        if ("id" in value and number is None) or not (method is None or isinstance(method, str)):
            self._fail(number, types.ErrorCodes.InvalidRequest, "a message with an id or a method of the wrong type")
            return
        problem = self._out_of_order(method)
        if problem:
            if number is not None:
                self._fail(number, *problem)
            return
        try:
            message = self.structure_message(value)
        except JsonRpcException as error:
            self._misunderstood(value, method, number, error)
            return
        self.handle_message(message)

    def _out_of_order(self, method: str | None) -> tuple[types.ErrorCodes, str] | None:
        """The error if a message of this method is not allowed before `initialize`, or after `shutdown`."""
        if method is None or method == types.EXIT:
            return None
        if self._shutdown:
            return types.ErrorCodes.InvalidRequest, "the server has been shut down"
        if method == types.INITIALIZE:
            again, self.initialized = self.initialized, True
            return (types.ErrorCodes.InvalidRequest, "the server is initialized already") if again else None
        return None if self.initialized else (types.ErrorCodes.ServerNotInitialized, "initialize comes first")

    def _misunderstood(self, value: Any, method: object, number: str | int | None, error: JsonRpcException) -> None:
        """Answer a request that could not be handled. If a change was lost, its document goes out of step."""
        if method is not None and number is not None:
            if method == types.INITIALIZE:
                self.initialized = False
            self._fail(number, types.ErrorCodes.InvalidParams, f"{method}: the parameters cannot be understood")
        elif method in _CHANGES:
            params = value.get("params")
            document = params.get("textDocument") if isinstance(params, dict) else None
            uri = document.get("uri") if isinstance(document, dict) else None
            self._server.lost_message(uri if isinstance(uri, str) else None, f"a {method} that cannot be understood")
        elif number is not None:  # a response
            future = self._request_futures.pop(number, None)
            if future is not None and not future.done():
                future.set_exception(error)

    def _fail(self, number: str | int | None, code: types.ErrorCodes | types.LSPErrorCodes, message: str) -> None:
        error = types.ResponseError(code.value, message)
        self._send_data(types.ResponseErrorMessage(id=number, error=error))

    def _send_handler_result(self, future: Future[Any], *, msg_id: str | int) -> None:
        after = self._after.pop(msg_id, None)
        error = None if future.cancelled() else future.exception()
        if isinstance(error, JsonRpcInvalidParams | JsonRpcContentModified):  # the client's error: no traceback
            self._request_futures.pop(msg_id, None)
            invalid = isinstance(error, JsonRpcInvalidParams)
            code = types.ErrorCodes.InvalidParams if invalid else types.LSPErrorCodes.ContentModified
            self._fail(msg_id, code, error.message)
            return
        super()._send_handler_result(future, msg_id=msg_id)
        if after is not None and not future.cancelled() and future.exception() is None:
            after()

    # --- in place of pygls' workspace ---------------------------------------------------------------------------------

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        self._server.service.opened(Document(item.uri, item.text, str(item.language_id), item.version))
        self._server.report_out_of_step()

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        document = params.text_document
        changes = map(_change, params.content_changes)
        self._server.service.changed(document.uri, document.version, changes)
        self._server.report_out_of_step()

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self._server.service.closed(params.text_document.uri)

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> None:  # type: ignore[override]
        self._server.stop(0 if self._shutdown else 1)


def text_range(where: types.Range) -> TextRange:
    """A range of LSP as a `TextRange`."""
    start, end = where.start, where.end
    return TextRange(Position(start.line, start.character), Position(end.line, end.character))


def _change(event: types.TextDocumentContentChangeEvent) -> ContentChange:
    if isinstance(event, types.TextDocumentContentChangePartial):
        return ContentChange(event.text, text_range(event.range))
    return ContentChange(event.text)


def _id_of(value: Any) -> str | int | None:
    number = value.get("id") if isinstance(value, dict) else None
    return number if isinstance(number, str | int) and not isinstance(number, bool) else None
