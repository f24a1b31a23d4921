"""The worker process: loads a model and serves it on its standard input and output.

    python -P -m tabspec.models.process.worker_main

The protocol is that of `tabspec.models.messages`. A thread reads the standard input: it answers pings while the model
loads or computes, and ends the process at the end of the input, that is, when the parent dies.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from importlib.util import find_spec
from typing import BinaryIO

from tabspec.errors import ModelError, TabspecError
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.load import load_model
from tabspec.models.messages import Message, answer_line, info_fields, take, to_line
from tabspec.models.process.lines import READ_BYTES, MessageParser, Unreadable
from tabspec.models.process.serving import Serving
from tabspec.models.protocol import Chunk, GenerationRequest, Model

# torch's kernels on CPUs (oneDNN, and ideep around it) keep prepared data for each shape of matrix: 1,024 shapes by
# default, and each length of a prompt is one. Without a limit the process grew from 399 to 665 MiB within 6,000
# requests, and to 974 within 60,000; with 8 it does not grow, at the same speed (a decode step has few shapes).
SHAPE_CACHES = {"LRU_CACHE_CAPACITY": "8", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "8"}

Write = Callable[[bytes], None]


def main() -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    for name, value in SHAPE_CACHES.items():  # read when torch is loaded
        os.environ.setdefault(name, value)
    write = _LineWriter(_own_output()).write
    messages = _messages(sys.stdin.fileno())
    asked = next(messages, None)
    if asked is None or asked["op"] != "load":
        sys.exit("tabspec: this process is started by tabspec, with the model to load on its standard input")
    asyncio.run(_run(asked, messages, write))


class _LineWriter:
    """Writes lines from two threads without mixing them."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._lock = out, threading.Lock()

    def write(self, line: bytes) -> None:
        try:
            with self._lock:
                self._out.write(line)
        except BrokenPipeError:
            os._exit(0)


def _own_output() -> BinaryIO:
    """The standard output, for the protocol alone: what libraries print goes to the standard error instead."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return out


def _messages(fd: int) -> Iterator[Message]:
    """The messages in the input, to its end. A line that cannot be parsed is dropped."""
    parser = MessageParser()
    while data := os.read(fd, READ_BYTES):
        for message in parser.feed(data):
            if isinstance(message, Unreadable):
                print(f"tabspec: a line was dropped: {message.problem}", file=sys.stderr)
            else:
                yield message


async def _run(asked: Message, messages: Iterator[Message], write: Write) -> None:
    """Load the model and serve it. Loading blocks the event loop: requests that arrive meanwhile start after it."""
    inbox = _Inbox(asyncio.get_running_loop(), write)
    threading.Thread(target=inbox.listen, args=(messages,), daemon=True).start()
    model = _load(asked, write)
    if model is not None:
        inbox.serving = Serving(model, inbox.send)
        await asyncio.get_running_loop().create_future()


class _Inbox:
    """Handles messages on the listening thread, because a forward pass blocks the event loop: pings must be answered
    during a pass, and cancels noted for its end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, write: Write) -> None:
        self._loop, self._write = loop, write
        self.serving: Serving | None = None

    def send(self, number: Hashable, what: Chunk | Exception) -> None:
        self._write(answer_line(number, what))

    def listen(self, messages: Iterator[Message]) -> None:
        for message in messages:
            if dropped := take(message, self._write, self._cancel_soon, self._start_soon):
                print(f"tabspec: a {message['op'][:20]!r} was dropped: {dropped}", file=sys.stderr)
        os._exit(0)  # the parent is gone: at once, even in the middle of a forward pass

    def _cancel_soon(self, number: int) -> None:
        if self.serving is not None:
            self.serving.cancelled.add(number)  # seen before the loop runs again
        self._loop.call_soon_threadsafe(self._cancel, number)

    def _start_soon(self, number: int, request: GenerationRequest | EditRequest) -> None:
        self._loop.call_soon_threadsafe(self._start, number, request)

    def _start(self, number: int, request: GenerationRequest | EditRequest) -> None:
        assert self.serving is not None
        try:
            self.serving.start(number, request)
        except ValueError as error:
            self.send(number, ModelError(str(error)))

    def _cancel(self, number: int) -> None:
        assert self.serving is not None
        self.serving.cancel(number)


def _load(asked: Message, write: Write) -> Model | None:
    """Load the model, and report progress or failure to the client."""
    try:
        write(to_line("loading", detail=f"loading {asked['model'] or 'the bundled model'}"))
        if asked.get("threads") and find_spec("torch"):  # before `auto` measures
            import torch

            torch.set_num_threads(int(asked["threads"]))
        model = load_model(asked["model"], **asked["options"])
        if use_low_priority := getattr(model, "use_low_priority", None):  # a model in this process
            use_low_priority()
    except (TabspecError, ImportError, MemoryError, OSError) as error:
        if isinstance(error, OSError) and error.filename:
            error = ModelError(f"{error.filename} cannot be read ({error.strerror})")
        line = " ".join(str(error).split()) or "there is not enough memory for the model"
        write(to_line("failed", message=line))
        return None
    write(to_line("ready", info=info_fields(model.info)))
    return model


if __name__ == "__main__":
    main()
