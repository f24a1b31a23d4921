"""Serving several streams: foreground first, cancelling between two steps, errors to the right client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.messages import (
    chunk_fields,
    error_fields,
    from_line,
    read_chunk,
    read_error,
    read_request,
    request_fields,
    to_line,
)
from tabspec.models.process.serving import TURN, Serving
from tabspec.models.protocol import Chunk, GenerationRequest, StopRule
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import LatencyProfile, TimedModel
from tabspec.suggestion import Finish


def asked(prefix: str, foreground: bool = True) -> GenerationRequest:
    return GenerationRequest(prefix, "", "", foreground=foreground)


class Heard:
    """What was sent, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[Hashable, Chunk | Exception]] = []
        self.more = asyncio.Event()

    def __call__(self, number: Hashable, what: Chunk | Exception) -> None:
        self.all.append((number, what))
        self.more.set()

    def text(self, number: Hashable) -> str:
        return "".join(what.text for n, what in self.all if n == number and isinstance(what, Chunk))

    def finished(self, number: Hashable) -> bool:
        return any(n == number and isinstance(what, Chunk) and what.finish for n, what in self.all)

    async def until_finished(self, *numbers: Hashable) -> None:
        while not all(map(self.finished, numbers)):
            self.more.clear()
            await self.more.wait()

    async def until_text(self, number: Hashable) -> None:
        while not self.text(number):
            self.more.clear()
            await self.more.wait()


MODEL = {"spec": "s" * 400, "fore": "f" * 80}


def batched(script: dict[str, str]) -> TimedModel:
    """A model whose generations share passes of the worker's own batching. A token takes 10 ms of virtual time."""
    return TimedModel(ScriptedModel(script), LatencyProfile(0, 0, 10, together=4))


def test_foreground_pre_empts_a_running_speculation() -> None:
    """The batching decides; `Serving` hands it the priority of each request."""

    async def play() -> None:
        heard = Heard()
        serving = Serving(batched(MODEL), heard)
        serving.start(1, asked("spec", foreground=False))
        await heard.until_text(1)
        serving.start(2, asked("fore"))
        await heard.until_finished(2)
        before = heard.text(1)
        # one token was there, and the pass that was running when the foreground request came gave another
        assert 4 <= len(before) <= 8
        await heard.until_finished(1)
        assert heard.text(1) == MODEL["spec"][: 48 * 4]  # it continued where it was
        order = [number for number, _ in heard.all]
        assert order[order.index(2) : len(order) - 1 - order[::-1].index(2)].count(1) <= 1

    run_virtual(play())


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


# --- many clients ---------------------------------------------------------------------------------------------------


def shared(model: ScriptedModel, heard: Heard, at_once: int = 1) -> Serving:
    """Numbers are pairs: client, and its own number."""
    return Serving(model, heard, at_once, whose=lambda number: number[0])  # type: ignore[index]


def order(heard: Heard) -> list[Any]:
    """The numbers in the order in which they finished."""
    return [number for number, what in heard.all if isinstance(what, Chunk) and what.finish]


async def settled(serving: Serving) -> None:
    """The last message is out before its stream is cleaned up."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(serving) == 0


async def test_clients_take_turns_however_many_requests_one_makes() -> None:
    heard = Heard()
    serving = shared(ScriptedModel({"": "x" * 40}), heard)
    for number in range(6):
        serving.start(("greedy", number), asked(""))
    serving.start(("late", 0), asked(""))
    serving.start(("later", 0), asked(""))
    await heard.until_finished(*((client, n) for client, n in [("greedy", 5), ("late", 0), ("later", 0)]))
    assert order(heard).index(("late", 0)) <= 2 and order(heard).index(("later", 0)) <= 3
    await settled(serving)


async def test_a_long_answer_pauses_for_others_and_is_completed() -> None:
    heard, text = Heard(), "".join(f"{i:04}" for i in range(400))
    model = ScriptedModel({"": text})
    serving = shared(model, heard)
    long = replace(asked(""), stop=StopRule(max_tokens=400))
    serving.start(("long", 0), long)
    await heard.until_text(("long", 0))
    serving.start(("short", 0), asked(""))
    await heard.until_finished(("long", 0), ("short", 0))
    assert order(heard)[0] == ("short", 0)
    assert heard.text(("long", 0)) == text, "it went on where it was: nothing twice, nothing lost"
    assert model.decoded <= 400 + TURN, "and decoded nothing anew"


def test_speculation_waits_for_foreground_requests_of_all_clients() -> None:
    """However many foreground requests wait for a place: between two of them, a speculation gets one pass at most."""

    async def play() -> None:
        heard = Heard()
        serving = shared(batched({"": "y" * 160}), heard)
        serving.start(("a", 0), asked("", foreground=False))
        for number in range(3):
            serving.start(("b", number), asked(""))
        await heard.until_finished(("b", 2))
        assert len(heard.text(("a", 0))) <= 3 * 4
        await heard.until_finished(("a", 0))
        assert order(heard)[-1] == ("a", 0)

    run_virtual(play())


async def test_each_priority_has_its_own_limit_of_streams() -> None:
    heard, model = Heard(), ScriptedModel({"": "z" * 400})
    serving = shared(model, heard)
    for client in range(4):
        serving.start((client, 0), asked("", foreground=client % 2 == 0))
    assert len(serving) == 4
    await heard.until_text((0, 0))
    await heard.until_text((1, 0))
    assert model.running == 2 and not heard.text((2, 0)) and not heard.text((3, 0))
    for client in range(4):
        serving.leave(client)
    await settled(serving)
    assert not serving and model.running == 0


async def test_a_completion_does_not_wait_for_an_edit() -> None:
    heard, written = Heard(), asyncio.Event()

    async def writing(request: object) -> AsyncGenerator[Chunk, None]:
        await written.wait()
        yield Chunk(finish=Finish.END)

    serving = shared(ScriptedModel({"fore": "ground"}), heard)
    edit = EditRequest("a.py", "python", "", "x\n", "", 0, 0, "")
    serving.start((0, 0), edit, writing)
    serving.start((1, 0), asked("fore"))
    await heard.until_finished((1, 0))
    assert order(heard) == [(1, 0)]
    written.set()
    await settled(serving)
    assert order(heard) == [(1, 0), (0, 0)]


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=40), st.sampled_from([None, 1, 2]))
@example([(0, False), (1, True), (1, False), (0, True)], 1)  # the second is paused while it waits for a place
def test_a_paused_stream_continues_where_it_was(acts: list[tuple[int, bool]], at_once: int | None) -> None:
    """Whenever it is paused and resumed, and however often."""
    text = "".join(f"{i:04}" for i in range(60))

    async def play() -> None:
        heard, model = Heard(), ScriptedModel({"": text})
        serving = Serving(model, heard, at_once, whose=lambda number: number)
        for number in range(2):
            serving.start(number, replace(asked(""), stop=StopRule(max_tokens=60)))
        await heard.until_text(0)
        for number, paused in acts:
            (serving.pause if paused else serving.resume)(number)
            for _ in range(3):
                await asyncio.sleep(0)
        for number in range(2):
            serving.resume(number)
        await heard.until_finished(0, 1)
        assert [heard.text(number) for number in range(2)] == [text] * 2
        prompts = [what.usage.prefill for number, what in heard.all if number == 0 and isinstance(what, Chunk)]
        assert sum(prompts) == 1, "where text had come, the prompt is not counted again"
        await settled(serving)

    asyncio.run(play())


async def test_a_paused_stream_gives_its_place_to_another() -> None:
    heard, model = Heard(), ScriptedModel({"": "z" * 160})
    serving = shared(model, heard)
    serving.start(("a", 0), asked(""))
    await heard.until_text(("a", 0))
    serving.pause(("a", 0))
    serving.start(("b", 0), asked(""))
    await heard.until_finished(("b", 0))
    assert not heard.finished(("a", 0)) and model.running <= 1
    serving.resume(("a", 0))
    await heard.until_finished(("a", 0))
    await settled(serving)
    assert heard.text(("a", 0)) == "z" * 160


async def test_an_answer_that_breaks_off_is_an_error() -> None:
    class BreaksOff(ScriptedModel):
        async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
            yield Chunk("a")

    heard = Heard()
    serving = Serving(BreaksOff({}), heard)
    serving.start(1, asked(""))
    await settled(serving)
    assert isinstance(heard.all[-1][1], ModelUnavailable)


async def test_open_streams_are_limited() -> None:
    heard, most = Heard(), 0
    model = ScriptedModel({"": "z" * 40})
    serving = shared(model, heard, at_once=3)
    for client in range(20):
        serving.start((client, 0), asked("", foreground=client % 2 == 0))
    while len(serving):
        most = max(most, model.running)
        await asyncio.sleep(0)
    assert len(order(heard)) == 20 and 3 <= most <= 6, "three of the foreground, and three that were ahead"


async def test_streams_of_a_client_that_disconnects_are_closed() -> None:
    heard, model = Heard(), ScriptedModel({"": "z" * 40})
    serving = shared(model, heard)
    for number in range(5):
        serving.start(("gone", number), asked(""))
    serving.start(("here", 0), asked(""))
    await asyncio.sleep(0)
    serving.leave("gone")
    await heard.until_finished(("here", 0))
    await settled(serving)
    assert order(heard) == [("here", 0)] and model.running == 0


def test_messages_are_read_as_they_were_written() -> None:
    request = GenerationRequest("a\ud800\r\n", "\n\t", "é🎉", "x.py", resume="r\u2028", foreground=False)
    message = from_line(to_line("request", id=1, request=request_fields(request)))
    assert read_request(message["request"]) == request
    chunk = Chunk("é", (1, 2), (-0.5, -1.25), finish=Finish.STOP)
    assert read_chunk(from_line(to_line("chunk", **chunk_fields(chunk)))) == chunk
    assert read_chunk(from_line(to_line("chunk", **chunk_fields(Chunk())))) == Chunk()
    error = read_error(error_fields(ValueError("two\nlines")))
    assert type(error) is ModelError
    assert str(error) == "ValueError: two lines"


async def test_the_limit_of_streams_can_be_raised_when_the_model_is_known() -> None:
    heard, model = Heard(), ScriptedModel({"": "z" * 40})
    serving = shared(model, heard, at_once=1)
    serving.at_once = 3
    for client in range(6):
        serving.start((client, 0), asked(""))
    most = 0
    while len(serving):
        most = max(most, model.running)
        await asyncio.sleep(0)
    assert most == 3 and len(order(heard)) == 6


async def test_an_id_in_use_is_refused_without_effect_on_others() -> None:
    heard, model = Heard(), ScriptedModel({"": "z" * 40})
    serving = shared(model, heard)
    serving.start(("bad", 1), asked(""))
    for _ in range(40):
        with pytest.raises(ValueError, match="in use"):
            serving.start(("bad", 1), asked(""))
    serving.start(("good", 1), asked(""))
    await heard.until_finished(("bad", 1), ("good", 1))
    await settled(serving)
    assert heard.text(("good", 1)) == "z" * 40
