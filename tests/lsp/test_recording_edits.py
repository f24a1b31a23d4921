"""`--record` with next edits: shown, jumped to, accepted, refused and undone ones, and that the session replays."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edit_scenes import PLACES, renamed

from tabspec.cli.main import run
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.clock import run_virtual
from tabspec.replay.results.usage import figures, usage_of
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import EditEvent, MarkEvent
from tabspec.replay.sessions.session_file import read_session
from tests.lsp.conftest import Start


async def test_next_edits_are_recorded_and_replayed(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    client = await start("--record", str(folder), model={"answers": {}})
    document = renamed(client)
    at = (0, 22)
    for number in range(3):
        link = (await document.next_edit(*at, editsOnly=True))["chain"][0]
        client.notify("textDocument/didShowInlineEdit", {"item": link})
        if number == 2:
            await client.command(link, "tabspec.rejected")
            break
        client.notify("tabspec/didJump", {"item": link})
        document.accept(link)
        await client.command(link)
        at = (link["cursor"]["line"], link["cursor"]["character"])
    document.edit({"start": link["range"]["start"], "end": link["range"]["start"]}, "")  # nothing
    back = {"line": PLACES[1][0], "character": PLACES[1][1]}
    document.edit({"start": back, "end": back | {"character": back["character"] + 5}}, "limit")  # undo
    await client.status()
    assert await client.stop() == 0

    (path,) = sorted(folder.glob("*"))
    session = read_session(path)
    assert session.warnings == ()
    assert session.final_text() == document.text
    marks = [
        event for event in session.events if isinstance(event, MarkEvent) and event.kind not in ("select", "request")
    ]
    kinds = [event.kind for event in marks]
    assert kinds == ["show", "jump", "accept", "show", "jump", "accept", "show", "reject", "reject"]
    edit = marks[0].data["edit"]
    assert (edit["delete"], edit["insert"], edit["source"]) == (5, "bound", "rename")
    accepted = [
        session.events[at + 1] for at, event in enumerate(session.events) if event in marks and event.kind == "accept"
    ]
    assert all(isinstance(event, EditEvent) for event in accepted)
    assert accepted[0].edits[0].offset == edit["offset"]
    found = usage_of(session)
    assert found.edits == {"show": 3, "jump": 2, "accept": 2, "reject": 2}
    assert run(["report", str(folder)]) == 0
    assert ("next edits among these", "3 shown, 2 accepted, 2 refused, 2 jumps") in figures(found)
    model = ScriptedModel(lambda request: "")
    played = await asyncio.to_thread(lambda: run_virtual(replay(session, model, Setting(edits=True))))
    assert played.edits is not None
    assert (played.interrupted, played.stale_served) == (False, 0)
