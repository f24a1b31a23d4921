from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from lsp_client import Client

Start = Callable[..., Awaitable[Client]]


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Writes a scripted model; gives its `--model` argument."""

    def write(**fields: Any) -> str:
        path = tmp_path / "script.json"
        path.write_text(json.dumps(fields))
        return f"scripted:{path}"

    return write


@pytest.fixture
async def start(script: Callable[..., str]) -> AsyncIterator[Start]:
    """Starts servers with a scripted model (``model``: its fields); initializes them, unless ``initialize=False``."""
    clients: list[Client] = []

    async def begin(
        *arguments: str,
        model: dict[str, Any] | None = None,
        initialize: dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Client:
        spec = script(**(model or {"any": True}))
        client = await Client.start("--model", spec, *arguments, **kwargs)
        clients.append(client)
        if initialize is not False:
            await client.initialize(**(initialize if isinstance(initialize, dict) else {}))
        return client

    yield begin
    for client in clients:
        await client.kill()
