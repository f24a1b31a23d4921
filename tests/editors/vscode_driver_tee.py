"""Stands between an editor and its language server and notes what they say: a JSON line a message.

    python vscode_driver_tee.py LOG PROGRAM ARGUMENT...

A line is ``{"t": seconds, "from": "client" | "server", "message": …}``; the clock is `time.monotonic`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import BinaryIO


def main(log_path: str, *command: str) -> int:
    lock = threading.Lock()
    with (
        open(log_path, "a", encoding="utf-8") as log,  # noqa: PTH123
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server,
    ):
        assert server.stdin and server.stdout

        def copy(source: BinaryIO, sink: BinaryIO, sender: str) -> None:
            while (frame := _frame(source)) is not None:
                head, body = frame
                entry = {"t": time.monotonic(), "from": sender, "message": json.loads(body)}
                sink.write(head + body)
                sink.flush()
                with lock:
                    log.write(json.dumps(entry) + "\n")
                    log.flush()
            sink.close()

        threading.Thread(target=copy, args=(sys.stdin.buffer, server.stdin, "client"), daemon=True).start()
        copy(server.stdout, sys.stdout.buffer, "server")
        return server.wait()


def _frame(source: BinaryIO) -> tuple[bytes, bytes] | None:
    """One message: its head and its body. None at the end."""
    head = b""
    length = 0
    while True:
        line = source.readline()
        if not line:
            return None
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n":
            return head, source.read(length)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
