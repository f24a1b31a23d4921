"""The worker process: loads a model and serves it on its standard input and output.

    python -P -m tabspec.models.worker_main

The protocol is that of `tabspec.models.wire`. It ends when its standard input does, that is, when its parent dies.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Hashable, Iterable
from typing import BinaryIO

from tabspec.errors import TabspecError
from tabspec.models.load import load_model
from tabspec.models.protocol import Chunk, Model
from tabspec.models.serving import Serving
from tabspec.models.wire import (
    Message,
    answer_line,
    from_line,
    info_fields,
    read_request,
    to_line,
)


def main() -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
    out = _own_output()
    lines = sys.stdin.buffer
    try:
        asked = from_line(lines.readline())
    except ValueError:
        sys.exit("tabspec: this process is started by tabspec, with the model to load on its standard input")
    model = _load(asked, out)
    if model is not None:
        asyncio.run(_serve(model, lines, out))


def _own_output() -> BinaryIO:
    """The standard output, for the protocol alone: what libraries print goes to the standard error instead."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return out


def _load(asked: Message, out: BinaryIO) -> Model | None:
    """Load the model, and say so or why not."""
    try:
        out.write(to_line("loading", detail=f"loading {asked['model'] or 'the bundled model'}"))
        model = load_model(asked["model"], **asked["options"])
        if asked.get("threads"):
            import torch

            torch.set_num_threads(int(asked["threads"]))
        if give_way := getattr(model, "give_way", None):  # what runs in this process
            give_way()
    except (TabspecError, ImportError, MemoryError) as error:
        line = " ".join(str(error).split()) or "there is not enough memory for the model"
        out.write(to_line("failed", message=line))
        return None
    out.write(to_line("ready", info=info_fields(model.info)))
    return model


async def _serve(model: Model, lines: Iterable[bytes], out: BinaryIO) -> None:
    loop = asyncio.get_running_loop()

    def send(number: Hashable, what: Chunk | Exception) -> None:
        try:
            out.write(answer_line(number, what))
        except BrokenPipeError:
            os._exit(0)

    serving = Serving(model, send)

    def listen() -> None:
        # A thread, because a forward pass keeps the event loop busy, and a cancel must be seen at its end.
        for line in lines:
            message = from_line(line)
            if message["op"] == "cancel":
                serving.cancelled.add(message["id"])
                loop.call_soon_threadsafe(serving.cancel, message["id"])
            elif message["op"] == "request":
                loop.call_soon_threadsafe(serving.start, message["id"], read_request(message["request"]))
        os._exit(0)  # the parent is gone: at once, even in the middle of a forward pass

    threading.Thread(target=listen, daemon=True).start()
    await loop.create_future()


if __name__ == "__main__":
    main()
