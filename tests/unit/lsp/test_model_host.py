"""The model behind the language server, when the setting changes quicker than models load and close."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import ClassVar

import pytest
from tabspec_lsp.models import ModelHost, ModelState, Report, open_model

from tabspec.config import DaemonMode
from tabspec.models.protocol import Model
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.clock import VirtualTimeLoop

LOADS, CLOSES = 1.0, 2.0


class Counted(ScriptedModel):
    """A model that takes its time to close, as a process does that does not end at once."""

    open: ClassVar[list[str]] = []

    def __init__(self, name: str) -> None:
        super().__init__({"": "x"})
        self.name = name

    async def close(self) -> None:
        await asyncio.sleep(CLOSES)
        self.open.remove(self.name)


async def open_counted(spec: str, report: Report, daemon: DaemonMode) -> Model:
    Counted.open.append(spec)
    model = Counted(spec)
    try:
        await asyncio.sleep(LOADS)
    except BaseException:
        await model.close()
        raise
    return model


@pytest.mark.parametrize("times", [(0.0, 0.0), (0.5, 1.5), (1.5, 2.0), (1.5, 1.6), (3.5, 0.1), (9.0, 0.5), (1.0, 2.9)])
def test_a_model_that_was_replaced_is_closed_whenever_the_next_one_is_wanted(times: tuple[float, float]) -> None:
    async def main() -> None:
        Counted.open = []
        host = ModelHost(open_counted, lambda: None, lambda: asyncio.sleep(0))
        host.load("A")
        for wait, spec in zip(times, ("B", "C"), strict=True):
            await asyncio.sleep(wait)
            host.load(spec)
        await asyncio.sleep(20)
        assert Counted.open == ["C"]
        assert host.state is ModelState.READY and isinstance(host.model, Counted) and host.model.name == "C"
        await host.close()
        assert Counted.open == []

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


@pytest.mark.parametrize("wait", [0.0, 0.5, 1.5, 3.5])
def test_closing_while_models_are_being_replaced_closes_all(wait: float) -> None:
    async def main() -> None:
        Counted.open = []
        host = ModelHost(open_counted, lambda: None, lambda: asyncio.sleep(0))
        for _, spec in pairwise("xABCD"):
            host.load(spec)
            await asyncio.sleep(wait / 2)
        await host.close()
        assert Counted.open == []

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


@pytest.mark.parametrize(("spec", "name"), [("", "auto"), ("bundled", "bundled"), ("large", "large")])
async def test_no_name_means_auto(spec: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Named(ScriptedModel):
        def __init__(self, name: str, **_: object) -> None:
            super().__init__({})
            self.name = name

        async def start(self) -> None:
            pass

    monkeypatch.setattr("tabspec.models.daemon.shared.SharedModel", Named)
    model = await open_model(spec, lambda *_: None)
    assert isinstance(model, Named) and model.name == name
