"""Serving several streams: foreground first, cancel between two steps, errors to whom they belong."""

from __future__ import annotations

import asyncio

from tabspec.errors import ModelError
from tabspec.models.protocol import Chunk, GenerationRequest
from tabspec.models.scripted import ScriptedModel
from tabspec.models.serving import Serving
from tabspec.models.wire import (
    chunk_fields,
    error_fields,
    from_line,
    read_chunk,
    read_error,
    read_request,
    request_fields,
    to_line,
)
from tabspec.suggestion import Finish


def asked(prefix: str, foreground: bool = True) -> GenerationRequest:
    return GenerationRequest(prefix, "", "", foreground=foreground)


class Heard:
    """What was sent, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[int, Chunk | Exception]] = []
        self.more = asyncio.Event()

    def __call__(self, number: int, what: Chunk | Exception) -> None:
        self.all.append((number, what))
        self.more.set()

    def text(self, number: int) -> str:
        return "".join(what.text for n, what in self.all if n == number and isinstance(what, Chunk))

    def finished(self, number: int) -> bool:
        return any(n == number and isinstance(what, Chunk) and what.finish for n, what in self.all)

    async def until_finished(self, *numbers: int) -> None:
        while not all(map(self.finished, numbers)):
            self.more.clear()
            await self.more.wait()

    async def until_text(self, number: int) -> None:
        while not self.text(number):
            self.more.clear()
            await self.more.wait()


MODEL = {"spec": "s" * 400, "fore": "f" * 80}


async def test_foreground_pre_empts_a_running_speculation() -> None:
    heard = Heard()
    serving = Serving(ScriptedModel(MODEL), heard)
    serving.start(1, asked("spec", foreground=False))
    await heard.until_text(1)
    serving.start(2, asked("fore"))
    await heard.until_finished(2)
    before = heard.text(1)
    assert len(before) < 20  # the step that was under way when the foreground request came, and no more
    await heard.until_finished(1)
    assert heard.text(1) == MODEL["spec"][: 48 * 4]  # it went on where it was
    order = [number for number, _ in heard.all]
    first = order.index(2)
    assert set(order[first : len(order) - 1 - order[::-1].index(2)]) <= {1, 2}
    assert order[first + 1 : order.index(2) + 20].count(1) <= 1


async def test_cancel_stops_before_the_next_step() -> None:
    heard, model = Heard(), ScriptedModel(MODEL)
    serving = Serving(model, heard)
    serving.start(1, asked("spec"))
    await heard.until_text(1)
    serving.cancelled.add(1)  # as the listening thread does, first
    decoded = model.decoded
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    serving.cancel(1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert model.decoded <= decoded + 1
    assert model.running == 0
    assert not heard.finished(1)
    serving.cancel(1)  # it has ended: no effect
    assert not serving.cancelled


async def test_an_error_ends_its_own_stream_only() -> None:
    heard, model = Heard(), ScriptedModel(MODEL, fail=ModelError("broken"), fail_after=3)
    serving = Serving(model, heard)
    serving.start(1, asked("spec"))
    while not any(isinstance(what, ModelError) for _, what in heard.all):
        heard.more.clear()
        await heard.more.wait()
    model.fail = None
    serving.start(2, asked("fore", foreground=False))
    await heard.until_finished(2)
    assert heard.text(2) == MODEL["fore"]


def test_messages_survive_the_wire() -> None:
    request = GenerationRequest("a\ud800\r\n", "\n\t", "é🎉", "x.py", resume="r\u2028", foreground=False)
    message = from_line(to_line("request", id=1, request=request_fields(request)))
    assert read_request(message["request"]) == request
    chunk = Chunk("é", (1, 2), (-0.5, -1.25), finish=Finish.STOP)
    assert read_chunk(from_line(to_line("chunk", **chunk_fields(chunk)))) == chunk
    assert read_chunk(from_line(to_line("chunk", **chunk_fields(Chunk())))) == Chunk()
    error = read_error(error_fields(ValueError("two\nlines")))
    assert type(error) is ModelError
    assert str(error) == "ValueError: two lines"
