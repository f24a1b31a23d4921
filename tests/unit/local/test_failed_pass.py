"""A pass that fails in the middle of the network leaves nothing in its slot: the next request is answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tabspec.errors import ModelError
from tabspec.models.load import load_model
from tabspec.models.protocol import GenerationRequest
from tests import tiny


async def test_a_first_pass_that_fails_half_way_does_not_spoil_the_next(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path, tiny.byte_level(tiny.OURS))
    model = load_model(str(folder), device="cpu", dtype="float32", decoder="transformers")
    request = GenerationRequest(tiny.CODE[:100], "", tiny.CODE[100:], "a.py")

    async def text() -> str:
        return "".join([chunk.text async for chunk in model.stream(request)])

    def fail(*_: Any) -> None:
        raise RuntimeError("a lost device")

    last = model.local.decoder.model.model.layers[-1]  # type: ignore[attr-defined]
    hook = last.register_forward_pre_hook(fail)
    with pytest.raises(ModelError, match="a lost device"):
        await text()
    hook.remove()
    answered = await text()
    model.local.slots.clear()  # type: ignore[attr-defined]
    assert answered == await text()
