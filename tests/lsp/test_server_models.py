"""The language server on a model server: no worker process, and a server that is down is waited for."""

from __future__ import annotations

from tabspec_lsp.models import open_model

from tabspec.models.http import HttpModel
from tests.stub_server import Stub, llama_cpp, running


def _silent(*_: object) -> None:
    return None


async def test_an_address_opens_no_worker() -> None:
    async with running(llama_cpp(Stub(), slots=3)) as stub:
        model = await open_model(stub.url, _silent)
        assert isinstance(model, HttpModel) and model.slots == 3
        assert "qwen2.5-coder" in model.info.name
        await model.close()


async def test_the_language_server_starts_while_the_model_server_is_down(unused_tcp_port: int) -> None:
    model = await open_model(f"http://127.0.0.1:{unused_tcp_port}", _silent)
    assert isinstance(model, HttpModel)
    await model.close()
