"""A program between an editor and its language server: it records their messages, and sends its own requests.

    python server_tee.py FOLDER PROGRAM ARGUMENT...

FOLDER/messages.jsonl gets a line a message: ``{"t": seconds, "from": "client" | "server", "message": …}``; the clock
is `time.monotonic`. What is written to the pipe FOLDER/questions, a JSON request a line, goes to the server, too; the
editor does not hear of it, as long as the id begins with "test". FOLDER/pid says which process the server is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO


def main(folder: Path, *command: str) -> int:
    lock = threading.Lock()
    questions = folder / "questions"
    if not questions.exists():
        os.mkfifo(questions)
    with (
        (folder / "messages.jsonl").open("a", encoding="utf-8") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server,
    ):
        to_server, from_server = server.stdin, server.stdout
        assert to_server and from_server
        (folder / "pid").write_text(str(server.pid))

        def send(sink: IO[bytes], body: bytes, sender: str, *, forward: bool = True) -> None:
            entry = {"t": time.monotonic(), "from": sender, "message": json.loads(body)}
            with lock:
                if forward:
                    sink.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
                    sink.flush()
                log.write(json.dumps(entry) + "\n")
                log.flush()

        def from_client() -> None:
            while (body := _body(sys.stdin.buffer)) is not None:
                send(to_server, body, "client")
            to_server.close()

        def from_test() -> None:
            while True:  # a pipe ends whenever its writer closes it
                for line in questions.read_bytes().splitlines():
                    send(to_server, line, "test")

        for thread in (from_client, from_test):
            threading.Thread(target=thread, daemon=True).start()
        while (body := _body(from_server)) is not None:
            ours = str(json.loads(body).get("id", "")).startswith("test")
            send(sys.stdout.buffer, body, "server", forward=not ours)
        return server.wait()


def _body(source: IO[bytes]) -> bytes | None:
    """The next message. None at the end."""
    length = 0
    while line := source.readline():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n":
            return source.read(length)
    return None


if __name__ == "__main__":
    # not sys.exit: the threads wait for pipes that may never be closed
    os._exit(main(Path(sys.argv[1]), *sys.argv[2:]))
