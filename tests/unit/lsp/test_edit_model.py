"""The edit model of the language server: the one that the settings name, closed with its engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from tabspec_lsp.engine_host import EngineHost
from tabspec_lsp.models import Report
from tabspec_lsp.options import Options

from tabspec.config import DaemonMode
from tabspec.engine.neighbours import Neighbours
from tabspec.models.http.edits import HttpEditModel
from tabspec.models.process_edits import ProcessEdits
from tabspec.models.protocol import Model
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.clock import run_virtual

SWEEP = "http://127.0.0.1:9#sweep-next-edit-1.5B"


@pytest.fixture(autouse=True)
def bundled_edits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The package has a bundled edit model, whatever is in it."""
    monkeypatch.setattr("tabspec.models.load.BUNDLED_EDITS", tmp_path)


async def open_scripted(spec: str, report: Report, daemon: DaemonMode) -> Model:
    return ScriptedModel({})


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({}, "here"),
        ({"edit_model": ""}, "here"),
        ({"edit_model": "auto", "model": "bundled"}, "here"),
        ({"model": "mine"}, "here"),
        ({"model": "auto"}, "here"),
        ({"model": "large"}, "here"),
        ({"model": "/models/mine"}, None),
        ({"edit_model": "bundled", "model": "/models/mine"}, "here"),
        ({"edit_model": "bundled", "model": "http://127.0.0.1:8"}, "here"),
        ({"edit_model": "off"}, None),
        ({"edit_model": "off", "model": "http://127.0.0.1:8"}, None),
        ({"edit_model": SWEEP}, "http://127.0.0.1:9"),
        ({"model": "http://127.0.0.1:8"}, "http://127.0.0.1:8"),
        ({"model": "http://127.0.0.1:8", "edit_model": SWEEP}, "http://127.0.0.1:9"),
    ],
)
def test_the_settings_name_it(values: dict[str, str], address: str | None) -> None:
    async def scenario() -> None:
        host = EngineHost(open_scripted, Neighbours(0), lambda: None, lambda _: None)
        host.configure(Options().updated(values)[0])
        await host.settled()
        edits = host._edits
        assert (edits is None) == (address is None)
        if isinstance(edits, HttpEditModel):
            assert edits.server.address.base == address
        else:
            assert isinstance(edits, ProcessEdits) == (address == "here")
        await host.close()

    run_virtual(scenario())


def test_it_is_closed_when_the_setting_changes_and_with_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[HttpEditModel] = []
    close = HttpEditModel.close

    async def counted(self: HttpEditModel) -> None:
        closed.append(self)
        await close(self)

    monkeypatch.setattr(HttpEditModel, "close", counted)

    async def scenario() -> None:
        host = EngineHost(open_scripted, Neighbours(0), lambda: None, lambda _: None)
        seen = []
        for values in ({"edit_model": SWEEP}, {"edit_model": SWEEP, "edit_format": "zeta"}, {"edit_model": "off"}):
            host.configure(Options().updated(values)[0])
            await host.settled()
            seen.append(host._edits)
        await host.close()
        assert seen[0] is not seen[1] and seen[2] is None
        assert closed == seen[:2]

    run_virtual(scenario())


def test_without_the_bundled_edit_model_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tabspec.models.load.BUNDLED_EDITS", tmp_path / "none")

    async def scenario() -> None:
        host = EngineHost(open_scripted, Neighbours(0), lambda: None, lambda _: None)
        host.configure(Options())
        await host.settled()
        assert host._edits is None
        await host.close()

    run_virtual(scenario())
