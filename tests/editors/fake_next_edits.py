"""A language server for tests of editors, which answers requests for next edits and for completions from a script.

    python fake_next_edits.py SCRIPT.json

    {"edits": [{"when": "amount):", "find": "\\btotal\\b", "replace": "amount"}],
     "completions": {"text before the cursor": "what is inserted"}}

If the request's document contains ``when``, an edit is offered for each match of the regular expression ``find``:
matches from the cursor's line on first, then those above it, then those in the open documents that ``others`` names.
An edit that was refused is not offered again on its line. The script is read anew for each request. ``"late": 1``
answers `tabspec/nextEdit` for the version before the document's, as a server would that has missed a change. With
``"slow": true`` completions are answered just before the next request for edits only, which follows a move of the
cursor. As with the real server, there is no edit where there is a completion, unless only edits are requested.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

Message = dict[str, Any]


class Server:
    def __init__(self, script: Path) -> None:
        self.script = script
        self.documents: dict[str, tuple[int, str]] = {}
        self.offered: dict[str, tuple[str, ...]] = {}  # the document, the line's text and the replacement, by id
        self.refused: set[tuple[str, ...]] = set()
        self.answers = 0
        self.kept: list[Message] = []  # completions that are answered later

    def serve(self) -> None:
        while (message := _read()) is not None:
            method, params = message.get("method", ""), message.get("params") or {}
            if method == "exit":
                return
            answer = self.answer(method, params)
            if "id" in message and method:
                self.send({"id": message["id"], "result": answer}, method, params)
            if method == "initialized":
                _write({"method": "tabspec/statusChanged", "params": STATUS})

    def send(self, response: Message, method: str, params: Message) -> None:
        if method == "textDocument/inlineCompletion" and self.read_script().get("slow"):
            self.kept.append(response)
            return
        if method == "tabspec/nextEdit" and params.get("editsOnly"):
            for kept in self.kept:
                _write(kept)
            self.kept.clear()
        _write(response)

    def answer(self, method: str, params: Message) -> Any:
        if method == "initialize":
            return {
                "capabilities": {"textDocumentSync": 1, "inlineCompletionProvider": True, "codeActionProvider": True}
            }
        if method == "textDocument/didOpen":
            document = params["textDocument"]
            self.documents[document["uri"]] = (document["version"], document["text"])
        if method == "textDocument/didChange":
            document = params["textDocument"]
            self.documents[document["uri"]] = (document["version"], params["contentChanges"][-1]["text"])
        if method == "textDocument/didClose":
            del self.documents[params["textDocument"]["uri"]]
        if method == "workspace/executeCommand" and params["command"] == "tabspec.rejected":
            self.refused.add(self.offered[params["arguments"][1]])
        if method == "tabspec/status":
            return STATUS
        if method == "textDocument/inlineCompletion":
            return self.completion(params["textDocument"]["uri"], params["position"])
        if method == "tabspec/nextEdit":
            uri, position = params["textDocument"]["uri"], params["position"]
            competes = not params.get("editsOnly") and self.completion(uri, position)["items"]
            return None if competes else self.next_edit(uri, position)
        return None

    def completion(self, uri: str, position: Message) -> Message:
        text = self.documents[uri][1]
        before = text[: _offset(text, position)]
        completions = self.read_script().get("completions", {})
        items = [
            {"insertText": insert, "range": {"start": position, "end": position}}
            for ending, insert in completions.items()
            if before.endswith(ending)
        ]
        return {"items": items}

    def next_edit(self, uri: str, position: Message) -> Message | None:
        self.answers += 1
        chain: list[Message] = []
        names = self.read_script().get("others", [])
        edits = [edit for edit in self.read_script().get("edits", []) if edit["when"] in self.documents[uri][1]]
        for document in [uri, *(other for other in self.documents if other.rsplit("/")[-1] in names)]:
            line = position["line"] if document == uri else 0
            for edit in edits:
                chain += self.replacements(document, line, edit, len(chain))
        version = self.documents[uri][0] - self.read_script().get("late", 0)
        return {"id": str(self.answers), "version": version, "chain": chain} if chain else None

    def read_script(self) -> Message:
        script: Message = json.loads(self.script.read_text())
        return script

    def replacements(self, uri: str, line: int, edit: dict[str, str], so_far: int) -> list[Message]:
        version, text = self.documents[uri]
        matches = list(re.finditer(edit["find"], text))
        below = [match for match in matches if text.count("\n", 0, match.start()) >= line]
        chain: list[Message] = []
        now, done = text, list[tuple[int, int]]()  # the text after the edits so far; where they are, and what they add
        for match in below + [match for match in matches if match not in below]:
            replacement = match.expand(edit["replace"])
            place = (uri, text.split("\n")[text.count("\n", 0, match.start())], replacement)
            if place in self.refused:
                continue
            start = match.start() + sum(added for at, added in done if at < match.start())
            end = start + len(match[0])
            edited = now[:start] + replacement + now[end:]
            name = f"{self.answers}/{so_far + len(chain)}"
            self.offered[name] = place
            chain.append(
                {
                    "textDocument": {"uri": uri, "version": version},
                    "range": {"start": _position(now, start), "end": _position(now, end)},
                    "text": replacement,
                    "cursor": _position(edited, start + len(replacement)),
                    "jump": _position(now, start),
                    "source": "rename",
                    "probability": 0.9,
                    "command": {"title": "Accepted", "command": "tabspec.accepted", "arguments": [uri, name]},
                }
            )
            now = edited
            done.append((match.start(), len(replacement) - len(match[0])))
        return chain


STATUS = {
    "version": "0",
    "policy": "none",
    "model": {"name": "fake", "state": "ready", "detail": "", "percent": None},
    "requests": 0,
    "sources": {"exact": 0, "type_through": 0, "speculated": 0, "joined": 0, "model": 0, "none": 0},
}


def _offset(text: str, position: Message) -> int:
    lines = text.split("\n")[: position["line"]]
    return sum(len(line) + 1 for line in lines) + int(position["character"])


def _position(text: str, offset: int) -> Message:
    before = text[:offset]
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}


def _read() -> Message | None:
    length = 0
    while line := sys.stdin.buffer.readline():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n":
            message: Message = json.loads(sys.stdin.buffer.read(length))
            return message
    return None


def _write(message: Message) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    Server(Path(sys.argv[1])).serve()
