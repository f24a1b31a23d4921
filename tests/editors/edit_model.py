"""A server on this machine with a model that writes edits, for tests of editors: it writes what the test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.stub_server import Reply, Request, Stub, infill_events, llama_cpp, running

PATH = "/v1/completions"


class EditModel:
    """Answers each request with ``text``, as the new text of the region asked about. None changes nothing."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self._stub = llama_cpp(Stub(), "sweep-next-edit-1.5b.q8_0.v2.gguf")
        self._stub.routes[PATH] = self._answer

    @property
    def url(self) -> str:
        return self._stub.url

    @property
    def requests(self) -> int:
        return len(self._stub.asked(PATH))

    async def _answer(self, request: Request, reply: Reply) -> None:
        *_, current, _ = request.body["prompt"].split("<|file_sep|>")  # tabspec.models.http.edits.sweep
        await reply.start()
        for event in infill_events(current.partition("\n")[2] if self.text is None else self.text):
            await reply.event(event)
        await reply.end()

    async def serve(self, started: threading.Event, over: asyncio.Event) -> None:
        async with running(self._stub):
            started.set()
            await over.wait()


@contextmanager
def edit_model(text: str | None = None) -> Iterator[EditModel]:
    """A running `EditModel`, in a thread: tests of editors wait for the editor and run no event loop."""
    model, loop, over, started = EditModel(text), asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(model.serve(started, over)))
    thread.start()
    started.wait()
    try:
        yield model
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
