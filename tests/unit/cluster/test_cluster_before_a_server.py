"""A cluster whose model is another server: speculations do not fill that server's queue."""

from __future__ import annotations

import asyncio

from tabspec.cluster.served import ServedModel
from tabspec.models.http import HttpModel
from tabspec.models.protocol import GenerationRequest
from tests.stub_server import Reply, Request, Stub, llama_cpp, openai_events, running


async def test_a_foreground_request_waits_for_running_speculation_only() -> None:
    async with running(llama_cpp(Stub(), slots=1)) as stub:
        asked, free = asyncio.Event(), asyncio.Event()
        ended: list[str] = []

        async def answer(_: Request, reply: Reply) -> None:
            asked.set()
            await free.wait()
            await reply.events(*openai_events("urn x", "\n"))

        stub.routes["/v1/completions"] = answer
        model = HttpModel(stub.url + "?exact=off")
        await model.connect()
        served = ServedModel(model)

        async def request(editor: str, foreground: bool) -> None:
            question = GenerationRequest("x = 1", "\nret", "", foreground=foreground)
            async for chunk in served.answer(question, editor=editor):
                if chunk.finish:
                    ended.append(editor)

        speculations = [asyncio.ensure_future(request(f"ahead {number}", False)) for number in range(8)]
        await asked.wait()
        foreground = asyncio.ensure_future(request("foreground", True))
        await asyncio.sleep(0)  # the request is in the cluster before the server answers
        free.set()
        await asyncio.gather(foreground, *speculations)
        await model.close()
    assert ended[:2] == ["ahead 0", "foreground"]
