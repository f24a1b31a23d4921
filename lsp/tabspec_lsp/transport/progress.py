"""The progress bar while the model loads, and a message if it cannot be used."""

from __future__ import annotations

import logging

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tabspec_lsp.models import ModelHost, ModelState
from tabspec_lsp.transport.front import Front

log = logging.getLogger(__name__)


class ModelProgress:
    """Shows the state of a `ModelHost`. It sends nothing before `start`, because the client is not ready."""

    def __init__(self, server: Front) -> None:
        self._server = server
        self._host: ModelHost | None = None
        self._started = False
        self._made = 0
        self._token: str | None = None  # of the current progress bar, or of one that the client is asked to create
        self._begun = False
        self._complained = ""

    async def start(self) -> None:
        """The client has sent `initialized`."""
        self._started = True
        if self._host is not None:
            await self._update(self._host)

    def model_changed(self, host: ModelHost) -> None:
        """The model's state has changed."""
        self._host = host
        if self._started:
            self._server.soon(self._update(host))

    async def _update(self, host: ModelHost) -> None:
        if host.state is ModelState.LOADING:
            await self._report(host)
        else:
            self._end(host)
        if host.state is ModelState.UNUSABLE and host.detail != self._complained:
            self._complained = host.detail
            self._server.say(f"No suggestions: {host.detail}", types.MessageType.Error)

    async def _report(self, host: ModelHost) -> None:
        if self._token is None:
            window = self._server.client_capabilities.window
            if window is None or not window.work_done_progress:
                return
            self._made += 1
            self._begun = False
            self._token = token = f"tabspec-model-{self._made}"
            try:
                await self._server.protocol.send_request_async(
                    types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token=token)
                )
            except JsonRpcException as error:
                log.info("the client refuses to show progress: %s", error)
                return
            self._send(
                token,
                types.WorkDoneProgressBegin(
                    title="tabspec: loading model", message=host.detail, percentage=_percent(host)
                ),
            )
            self._begun = self._token == token
            if not self._begun:  # loading has ended before the client answered
                self._send(token, types.WorkDoneProgressEnd())
        elif self._begun:  # otherwise the first message has the current detail
            self._send(self._token, types.WorkDoneProgressReport(message=host.detail, percentage=_percent(host)))

    def _end(self, host: ModelHost) -> None:
        token, self._token = self._token, None
        if token is not None and self._begun:
            self._send(token, types.WorkDoneProgressEnd(message=host.detail))

    def _send(
        self,
        token: str,
        value: types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd,
    ) -> None:
        self._server.protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))


def _percent(host: ModelHost) -> int | None:
    return None if host.percent is None else int(host.percent)
