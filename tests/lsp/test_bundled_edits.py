"""The bundled edit model in the real server: an edit that no pattern proposes, and the next one after Tab."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from edit_scenes import Document, place
from lsp_client import PATIENCE, Client

from tabspec.edits.proposals.propose import propose
from tabspec.edits.step import Step
from tabspec.text import Document as Text

pytestmark = pytest.mark.slow

OLD, NEW = "    return shape.width * shape.height\n", "    return shape.size.width * shape.size.height\n"
BEFORE = (
    f"def area(shape):\n{OLD}\n\ndef twice(shape):\n    return shape.width * shape.height * 2\n\n\n"
    "def half(shape):\n    return shape.width * shape.height / 2\n"
)


async def test_it_writes_what_no_pattern_proposes() -> None:
    after = Text("file:///a.py", BEFORE.replace(OLD, NEW), "python")
    offset = after.line_starts[1]
    assert propose(after, offset, [Step(after.uri, 1, offset, OLD, NEW)]) == ()

    client = await Client.start()
    try:
        # No completion is ever likely enough: the edit model is asked.
        await client.initialize(options={"patience": 60, "min_probability": 1.0})
        document = Document(client, BEFORE)
        document.replace(1, 16, 16, ".size")
        document.replace(1, 35, 35, ".size")
        assert document.text.split("\n")[1] == NEW[:-1]
        async with asyncio.timeout(PATIENCE):
            while not (edits := await offered(document)):
                pass
        assert edits[0]["source"] == "model" and edits[0]["probability"] > 0.25
        document.accept(edits[0])
        first = document.text
        assert first.count("shape.size.width") >= 2 and len(first.split("\n")) == len(BEFORE.split("\n"))
        async with asyncio.timeout(PATIENCE):
            while not (edits := await offered(document)):
                pass
        document.accept(edits[0])
        assert document.text.count("shape.size.width") == 3
        status = await client.status()
        assert status["model"]["state"] == "ready"
    finally:
        await client.kill()


async def offered(document: Document) -> Any:
    """The chain that is offered at the place of the first change."""
    end = place(1, len(NEW) - 1)
    found = await document.next_edit(end["line"], end["character"])
    return None if found is None else found["chain"]
