"""A document in which a parameter was renamed, so that four uses of it are left to be renamed."""

from __future__ import annotations

from typing import Any

from lsp_client import URI, Client

BEFORE = "def total(items, limit):\n    result = 0\n" + "".join(
    f"\n\n    # {number}\n    for item in items:\n        result += item * limit\n    print({number})\n    print()\n"
    for number in range(4)
)
AFTER = BEFORE.replace("limit", "bound")
PLACES = [(line, text.index("limit")) for line, text in enumerate(BEFORE.splitlines()) if "* limit" in text]


def place(line: int, character: int) -> dict[str, int]:
    return {"line": line, "character": character}


class Document:
    """A document as an editor has it: applies what it sends."""

    def __init__(self, client: Client, text: str, uri: str = URI) -> None:
        self.client, self.text, self.uri, self.version = client, text, uri, 1
        client.open(text, uri)

    def replace(self, line: int, start: int, end: int, text: str) -> None:
        """Replace a part of a line (columns; ASCII only)."""
        self.edit({"start": place(line, start), "end": place(line, end)}, text)

    def edit(self, where: Any, text: str) -> None:
        self.version += 1
        self.client.change(self.version, {"range": where, "text": text}, uri=self.uri)
        start, end = self._offset(where["start"]), self._offset(where["end"])
        self.text = self.text[:start] + text + self.text[end:]

    def _offset(self, at: Any) -> int:
        lines = self.text.splitlines(keepends=True)
        return sum(map(len, lines[: at["line"]])) + at["character"]

    async def next_edit(self, line: int, character: int, **more: Any) -> Any:
        document = {"uri": self.uri, "version": self.version}
        params = {"textDocument": document, "position": place(line, character)}
        return await self.client.request("tabspec/nextEdit", params | more)

    async def copilot(self, line: int, character: int) -> Any:
        document = {"uri": self.uri, "version": self.version}
        params = {"textDocument": document, "position": place(line, character), "context": {"triggerKind": 2}}
        return (await self.client.request("textDocument/copilotInlineEdit", params))["edits"]

    def accept(self, link: Any) -> None:
        """Apply an edit, as its client does."""
        assert link["textDocument"]["uri"] == self.uri
        self.edit(link["range"], link["text"])


def renamed(client: Client, uri: str = URI) -> Document:
    """The document after the parameter was renamed by hand, word at a time."""
    document = Document(client, BEFORE, uri)
    document.replace(0, 17, 22, "")
    document.replace(0, 17, 17, "bound")
    return document
