"""Latency profiles, the model that takes the profile's time, and the model that remembers its answers."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.errors import InputError
from tabspec.models import Chunk, GenerationRequest, Model, Usage
from tabspec.models.scripted.model import ScriptedModel, pseudo_random
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import (
    FORMAT,
    VERSION,
    LatencyProfile,
    Sample,
    TimedModel,
    fit_profile,
    parse_latency,
)
from tabspec.replay.models.measured import PLACES, measured_profile
from tabspec.replay.models.memo import MemoModel, SimulatedKv
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.suggestion import Finish
from tabspec.text import Edit

PROFILE = LatencyProfile(10, 0.5, 4, "m", "here")


def as_object(profile: LatencyProfile) -> dict[str, object]:
    """The object of a latency file."""
    return {"format": FORMAT, "version": VERSION, **asdict(profile)}


def request(prefix: str = "def f", suffix: str = "\n", resume: str = "") -> GenerationRequest:
    return GenerationRequest("", prefix, suffix, resume=resume)


async def chunks_of(model: Model, asked: GenerationRequest, limit: int | None = None) -> list[Chunk]:
    taken: list[Chunk] = []
    async with aclosing(model.stream(asked)) as chunks:
        async for chunk in chunks:
            taken.append(chunk)
            if limit is not None and len(taken) >= limit:
                break
    return taken


def test_a_plain_number_is_the_time_of_a_suggestion() -> None:
    profile = parse_latency("150")
    assert profile.seconds(Usage(prefill=900), first=True) == 0.15
    assert profile.seconds(Usage(decoded=5), first=False) == 0.0


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(as_object(PROFILE)))
    assert parse_latency(str(path)) == PROFILE
    assert PROFILE.seconds(Usage(100, 7, 2), first=True) == pytest.approx(0.010 + 0.050 + 0.008)


GOOD = as_object(PROFILE)
TOGETHER = LatencyProfile(0, 0, 4, "m", "here", together=4, beside=0.25)


def test_a_profile_holds_the_size_of_batches(tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(as_object(TOGETHER)))
    assert parse_latency(str(path)) == TOGETHER
    for wrong in ({"together": 0}, {"together": True}, {"beside": 1.5}, {"beside": "1"}):
        path.write_text(json.dumps(as_object(TOGETHER) | wrong))
        with pytest.raises(InputError, match=next(iter(wrong))):
            parse_latency(str(path))


def test_a_batch_takes_less_time_than_its_generations_in_sequence() -> None:
    async def taken(count: int, foreground: bool = False) -> tuple[float, float]:
        """When all of ``count`` speculations were there, and a foreground request that came at 10 ms."""
        model = TimedModel(ScriptedModel(lambda request: "abcdefgh"), TOGETHER)
        now = asyncio.get_running_loop().time
        start = now()
        ahead = [asyncio.create_task(chunks_of(model, replace(request(), foreground=False))) for _ in range(count)]
        waited = 0.0
        if foreground:
            await asyncio.sleep(0.010)
            asked = now()
            await chunks_of(model, request())
            waited = now() - asked
        await asyncio.gather(*ahead)
        return now() - start, waited

    one, alone = run_virtual(taken(1))[0], run_virtual(taken(0, True))[1]
    four, _ = run_virtual(taken(4))
    assert 1 < four / one <= 1.75 + 1e-9
    # Not slowed, but for the pass that had begun: at most one of four tokens, of 7 ms.
    assert alone <= run_virtual(taken(4, True))[1] <= alone + 0.007 + 1e-9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("\x89PNG", "not JSON"),
        ("[]", '"format" must be'),
        (json.dumps(GOOD | {"version": 2}), "version 2 is not 1"),
        (json.dumps(GOOD | {"decode_ms_per_token": -1}), "latency.json: profile.decode_ms_per_token: is negative"),
        (
            json.dumps(GOOD | {"prefill_fixed_ms": float("nan")}),
            "latency.json: profile.prefill_fixed_ms: is not a number",
        ),
        (
            json.dumps(GOOD | {"prefill_ms_per_token": "3"}),
            "latency.json: profile.prefill_ms_per_token: expected a number",
        ),
        (
            json.dumps({key: GOOD[key] for key in GOOD if key != "prefill_fixed_ms"}),
            "latency.json: profile.prefill_fixed_ms is missing",
        ),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "latency.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        parse_latency(str(path))
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "none.json"])
def test_bad_values_are_refused(value: str) -> None:
    with pytest.raises(InputError, match="latency"):
        parse_latency(value)


def test_each_chunk_takes_its_time() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        model = TimedModel(ScriptedModel(lambda _: "abcdefgh"), PROFILE)
        times = []
        async for _ in model.stream(request("x" * 40)):
            times.append(loop.time())
        return times

    prefill = 0.010 + 11 * 0.0005  # 40 characters are 11 tokens to the scripted model
    assert run_virtual(main()) == pytest.approx([prefill, prefill + 0.004, prefill + 0.008, prefill + 0.008])


def test_cancelling_stops_the_model() -> None:
    scripted = ScriptedModel(lambda _: "abcdefgh" * 5)

    async def main() -> None:
        task = asyncio.create_task(chunks_of(TimedModel(scripted, PROFILE), request()))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(main())
    assert scripted.cancelled == 1 and scripted.running == 0 and 1 <= scripted.decoded <= 3


def test_measured_time_passes_on_the_virtual_clock() -> None:
    async def main() -> tuple[float, list[Sample]]:
        model = TimedModel(ScriptedModel(lambda _: "abcdefgh"))
        await chunks_of(model, request())
        return asyncio.get_running_loop().time(), model.samples

    took, samples = run_virtual(main())
    assert took == pytest.approx(sum(sample.seconds for sample in samples)) and took > 0
    assert [sample.first for sample in samples] == [True, False, False, False]


@given(st.integers(0, 10**9))
def test_a_fit_finds_the_profile_again_despite_outliers(seed: int) -> None:
    rng = random.Random(seed)
    samples = []
    for _ in range(30):
        usage = Usage(rng.randrange(1, 900), 0, rng.randrange(2))
        samples.append(Sample(usage, True, PROFILE.seconds(usage, True) + 0.5 * (rng.random() < 0.1)))
        samples += [Sample(Usage(decoded=1), False, 0.004 if rng.random() > 0.2 else 0.3) for _ in range(9)]
    fitted = fit_profile(samples)
    assert fitted.decode_ms_per_token == pytest.approx(4)
    assert fitted.prefill_ms_per_token == pytest.approx(0.5, rel=0.15)
    assert fitted.prefill_fixed_ms == pytest.approx(10, abs=30)


def test_drafted_tokens_take_their_share_of_a_pass() -> None:
    step = Usage(decoded=1)
    samples = [Sample(Usage(prefill=9), True, 0.02), *(Sample(step, False, each) for each in [0.003, 2e-5, 1e-5] * 9)]
    assert fit_profile(samples).decode_ms_per_token == pytest.approx(1)


def test_nothing_to_fit() -> None:
    with pytest.raises(InputError, match="no generation"):
        fit_profile([])


# -- remembering


def content(chunks: list[Chunk]) -> list[Chunk]:
    return [chunk for chunk in chunks if chunk.text or chunk.tokens or chunk.finish]


def seen(chunks: list[Chunk]) -> list[tuple[str, int, object]]:
    """What matters of chunks; the scripted model numbers its tokens anew when it resumes."""
    return [(chunk.text, chunk.usage.decoded, chunk.finish) for chunk in chunks]


@given(st.lists(st.tuples(st.sampled_from(["a", "ab", "b("]), st.integers(1, 6)), max_size=8), st.integers(1, 4))
def test_remembered_answers_look_like_fresh_ones(asked: list[tuple[str, int]], token_chars: int) -> None:
    def scripted() -> ScriptedModel:
        return ScriptedModel(pseudo_random(longest=9), token_chars=token_chars)

    async def main() -> None:
        plain, memo = scripted(), MemoModel(scripted())
        for prefix, limit in asked:
            got = await chunks_of(memo, request(prefix), limit)
            fresh = await chunks_of(MemoModel(scripted()), request(prefix), limit)
            assert seen(got) == seen(fresh)
            assert [c.usage.prefill + c.usage.reused for c in got] == [c.usage.prefill + c.usage.reused for c in fresh]
            expected = seen(content(await chunks_of(plain, request(prefix))))
            assert seen(content(got)) == expected[: len(content(got))]

    run_virtual(main())


@given(st.integers(0, 12), st.integers(0, 6))
def test_a_remembered_answer_can_be_resumed(cut: int, limit: int) -> None:
    text = "abcdefghijkl"

    async def main() -> None:
        memo = MemoModel(ScriptedModel(lambda _: text))
        if limit:
            await chunks_of(memo, request(), limit)
        rest = await chunks_of(memo, request(resume=text[:cut]))
        assert "".join(chunk.text for chunk in rest) == text[cut:]
        assert rest[-1].finish is not None
        whole = await chunks_of(memo, request())
        assert "".join(chunk.text for chunk in whole) == text

    run_virtual(main())


def test_the_model_is_asked_once() -> None:
    scripted = ScriptedModel(lambda _: "abcdefgh" * 3)

    async def main() -> None:
        memo = MemoModel(scripted)
        await chunks_of(memo, request(), 3)  # the prompt and two tokens
        await chunks_of(memo, request())
        await chunks_of(memo, request())

    run_virtual(main())
    assert scripted.decoded == 6 and len(scripted.requests) == 2


def test_two_equal_requests_at_once_ask_the_model_once() -> None:
    async def main() -> None:
        memo = MemoModel(ScriptedModel(lambda _: "abcdefgh" * 3, token_s=0.1))
        both = await asyncio.gather(chunks_of(memo, request()), chunks_of(memo, request()))
        third = await chunks_of(memo, request())
        assert [seen(content(each)) for each in both] == [seen(content(third))] * 2

    run_virtual(main())


def test_simulated_kv() -> None:
    kv = SimulatedKv(slots=2)
    assert kv.prompt(request("a" * 98, ""), 100) == Usage(100, 0)
    again = kv.prompt(request("a" * 98, ""), 100)
    assert again == Usage(1, 99)  # one is always computed
    assert kv.prompt(request("b" * 10, ""), 10).reused <= 1
    longer = kv.prompt(request("a" * 98 + "c" * 98, ""), 200)
    assert 90 <= longer.reused <= 110 and longer.prefill + longer.reused == 200


def test_simulated_kv_holds_what_was_generated() -> None:
    kv = SimulatedKv()
    first = request("a" * 50, "s")
    kv.prompt(first, 51)
    kv.decoded(first, "xyz")
    assert kv.prompt(request("a" * 50 + "xyz", "s"), 54) == Usage(1, 53)
    assert kv.prompt(request("a" * 50, "another"), 57).prefill > 50


def test_simulated_kv_forgets_the_oldest() -> None:
    kv = SimulatedKv(slots=2)
    for letter in "abc":
        kv.prompt(request(letter * 400, letter), 400)
    assert kv.prompt(request("b" * 400, "b"), 400).reused == 399
    assert kv.prompt(request("a" * 400, "a"), 400).reused == 0


def test_simulated_kv_overwrites_the_cheapest_prompt() -> None:
    """As the real slots do: these prompts have ten tokens each, and a copy costs more than running them."""
    kv = SimulatedKv(slots=2)
    for letter in "abc":
        kv.prompt(request(letter * 40, letter), 40)
    assert [kv.prompt(request(letter * 40, letter), 40).reused for letter in "bc"] == [0, 0]


def test_simulated_kv_keeps_prompts_of_foreground_requests() -> None:
    """As many speculations as there may be leave all prompts but one to the foreground."""
    kv = SimulatedKv(slots=4)
    for letter in "cab":
        kv.prompt(request(letter * 400, letter), 400)
    for number in range(20):
        kv.prompt(
            replace(request("z" * 400 + "y" * 300 * (number % 2) + str(number), str(number)), foreground=False), 400
        )
    for letter in "cab":
        assert kv.prompt(request(letter * 400, letter), 400).reused == 399


def test_simulated_kv_extends_a_prompt_before_it_overwrites_another() -> None:
    kv = SimulatedKv(slots=2)
    kv.prompt(request("b" * 400, "b"), 400)
    here = request("a" * 400, "a")
    kv.prompt(here, 400)
    kv.decoded(here, "what was said there, and asked ahead behind it")
    kv.prompt(request("a" * 400 + "x", "a"), 401)
    assert kv.prompt(request("b" * 400, "b"), 400).reused == 399


async def test_a_prompt_reported_in_pieces_counts_as_a_whole() -> None:
    class Pieces(ScriptedModel):
        async def stream(self, asked: GenerationRequest) -> AsyncGenerator[Chunk, None]:
            for usage in (Usage(reused=10), Usage(prefill=64), Usage(prefill=26)):
                yield Chunk(usage=usage)
            yield Chunk("a", (1,), (0.0,), Usage(decoded=1))
            yield Chunk(finish=Finish.END)

    chunks = await chunks_of(MemoModel(Pieces({})), request())
    assert chunks[0].usage == Usage(prefill=100)


# -- measuring before a replay


async def test_calibrating_finds_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    class Slow(ScriptedModel):
        """Takes the profile's time, by a clock of its own, for prompts of which the last one's part is reused."""

        async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
            nonlocal now
            first = True
            async for chunk in super().stream(request):
                usage = Usage(chunk.usage.prefill // (1 + len(self.requests) % 2 * 50), 0, chunk.usage.decoded)
                now += PROFILE.seconds(usage, first) + (9.0 if len(self.requests) == 1 else 0.0)  # cold at first
                first = False
                yield replace(chunk, usage=usage)

    async def at_once(_: float) -> None:
        return None

    monkeypatch.setattr("tabspec.replay.models.latency.time.perf_counter", lambda: now)
    monkeypatch.setattr("tabspec.replay.models.latency.asyncio.sleep", at_once)
    text = "".join(f"value_{i} = {i}\n" for i in range(60))
    session = Session("", tuple(EditEvent(float(i), (Edit(i, 0, char),)) for i, char in enumerate(text)))
    model = Slow(lambda _: "x" * 90)
    profile = await measured_profile(model, session, "here")
    assert profile.decode_ms_per_token == pytest.approx(4)
    assert profile.prefill_ms_per_token == pytest.approx(0.5, rel=0.01)
    assert profile.prefill_fixed_ms == pytest.approx(10, rel=0.01)
    assert (profile.model, profile.machine) == ("scripted", "here")
    assert len(model.requests) == 2 * PLACES
    # spread over the session, in pairs one keystroke apart
    lengths = [len(request.prefix) for request in model.requests]
    assert lengths[1] == lengths[0] + 1 and lengths[-1] > 0.9 * len(text)


async def test_nothing_to_calibrate_on() -> None:
    with pytest.raises(InputError, match="no edits to measure"):
        await measured_profile(ScriptedModel(lambda _: "x"), Session("abc"))
