"""Many users on one service: the batch, the waits, the search for the number of servers, and the command."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import made_results as results
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.cli.main import run as command
from tabspec.cli.report import show
from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.errors import InputError
from tabspec.lab.capacity.answers import Answers
from tabspec.lab.capacity.batch import BatchJob, ServerBatch
from tabspec.lab.capacity.play import on_service
from tabspec.lab.capacity.population import STAGGER_S, excerpt, population, server_of
from tabspec.lab.capacity.profile import FOLDER, PREFILL_CHUNK, ServiceProfile, read_service, shipped
from tabspec.lab.capacity.report import crowds
from tabspec.lab.capacity.search import sized
from tabspec.lab.capacity.service import KvMemory, Served, Service, ServiceModel
from tabspec.lab.capacity.sizing import Demand, foreground_waits, serve, servers_needed, smallest, waits_with
from tabspec.lab.capacity.waits import answered_by, percentiles
from tabspec.models.protocol import Chunk, GenerationRequest, StopRule
from tabspec.models.scripted.model import ScriptedModel, pseudo_random
from tabspec.replay.clock import run_virtual
from tabspec.replay.report import render
from tabspec.replay.results.figures import percentile
from tabspec.replay.results.result import ReplayResult, Run
from tabspec.replay.results.result_file import dumps, loads
from tabspec.replay.results.shared import Shared, Waits
from tabspec.replay.runner import Setting
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.suggestion import Answer, Miss, Source
from tabspec.text import Document, Edit
from tests.examples import examples

SLOW = ServiceProfile(((1, 10.0), (4, 16.0)), 0.5, 2.0, 0, "toy", "paper")


# --- the profile ------------------------------------------------------------------------------------------------------


def test_step_times_are_interpolated_between_measured_batch_sizes() -> None:
    assert [SLOW.step_s(batch) * 1000 for batch in (0, 1, 2, 3, 4)] == pytest.approx([0, 10, 12, 14, 16])
    assert SLOW.step_s(1, 100) * 1000 == pytest.approx(10 + 2 + 50)
    assert SLOW.step_s(0, 100) * 1000 == pytest.approx(52)
    assert ServiceProfile(((8, 5.0), (16, 6.0)), 0.1).step_s(3) == pytest.approx(0.005)


@pytest.mark.parametrize("name", shipped())
def test_the_shipped_profiles_can_be_read_and_name_their_source(name: str) -> None:
    profile = read_service(name)
    assert profile.model and profile.machine and profile.kv_tokens > 0
    assert read_service(str(FOLDER / f"{name}.json")) == profile


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "x"}, '"format"'),
        ({"version": 2}, '"version"'),
        ({"step_ms": []}, "step_ms"),
        ({"step_ms": [[2, 1.0], [1, 2.0]]}, "step_ms"),
        ({"step_ms": [[1, "x"]]}, "step_ms"),
        ({"step_ms": [[0, 1.0]]}, "step_ms"),
        ({"prefill_ms_per_token": -1}, "prefill_ms_per_token"),
        ({"prefill_ms_per_token": None}, "prefill_ms_per_token"),
    ],
)
def test_a_wrong_profile_is_refused_with_one_line(tmp_path: Path, change: dict[str, object], says: str) -> None:
    item = {"format": "tabspec-service", "version": 1, "step_ms": [[1, 1.0]], "prefill_ms_per_token": 0.1} | change
    path = tmp_path / "p.json"
    path.write_text(json.dumps(item))
    with pytest.raises(InputError) as raised:
        read_service(str(path))
    assert says in str(raised.value) and "\n" not in str(raised.value)


# --- the batch --------------------------------------------------------------------------------------------------------


def steps(batch: ServerBatch) -> list[list[BatchJob]]:
    """All steps to the end: whom each served."""
    served, now = [], 0.0
    while (took := batch.begin(now)) is not None:
        now += took
        served.append(batch.end())
    return served


def test_foreground_jobs_are_served_first_and_waiting_jobs_keep_their_progress() -> None:
    batch = ServerBatch(ServiceProfile(((1, 10.0), (2, 10.0)), 0.0, beside=True))
    ahead = [BatchJob(False, 1, 3) for _ in range(2)]
    for job in ahead:
        batch.add(job)
    assert batch.begin(0.0) and batch.end() == ahead
    ahead[1].decoded = 2  # nearly done, and yet it waits
    editor = BatchJob(True, 1, 2)
    batch.add(editor)
    assert batch.begin(0.0) and batch.end() == [editor, ahead[0]]
    assert batch.begin(0.0) and batch.end() == [editor, ahead[0]]
    assert editor.done and ahead[0].done and ahead[1].decoded == 2
    assert steps(batch) == [[ahead[1]]]


def test_speculation_pauses_while_a_foreground_job_is_open() -> None:
    batch = ServerBatch(ServiceProfile(((1, 10.0), (2, 10.0)), 0.0))
    ahead, editor = BatchJob(False, 1, 2), BatchJob(True, 1, 2)
    batch.add(ahead)
    assert batch.begin(0.0) and batch.end() == [ahead]
    batch.add(editor)
    assert steps(batch) == [[editor], [editor], [ahead]]


def test_a_long_prompt_is_computed_in_pieces_between_steps_of_others() -> None:
    batch = ServerBatch(SLOW)
    long, short = BatchJob(True, 2 * PREFILL_CHUNK + 1, 1), BatchJob(True, 0, 3)
    batch.add(long)
    batch.add(short)
    assert steps(batch) == [[long, short], [long, short], [long, short]]
    assert batch.prefilled == 2 * PREFILL_CHUNK + 1 and batch.tokens == 4


jobs = st.builds(BatchJob, st.booleans(), st.integers(0, 5000), st.integers(1, 9))


@given(st.lists(jobs, max_size=8))
def test_all_jobs_are_completed_and_busy_time_is_the_sum_of_steps(made: list[BatchJob]) -> None:
    batch = ServerBatch(SLOW)
    for job in made:
        batch.add(job)
    served = steps(batch)
    assert len(batch) == 0 and all(job.done for job in made)
    assert batch.tokens == sum(job.decode for job in made) and batch.prefilled == sum(job.prefill for job in made)
    assert all(0 < len(step) <= SLOW.most_batch for step in served)
    least = sum(job.prefill for job in made) * SLOW.prefill_ms_per_token + len(served) * 2
    assert batch.busy_s * 1000 >= least - 1e-6 if any(job.prefill for job in made) else batch.busy_s >= 0


def test_one_job_alone_takes_the_time_of_a_latency_profile() -> None:
    batch = ServerBatch(SLOW)
    batch.add(BatchJob(True, 100, 8))
    steps(batch)
    assert batch.busy_s * 1000 == pytest.approx(2 + 100 * 0.5 + 8 * 10)


# --- waits ------------------------------------------------------------------------------------------------------------

times = st.integers(1, 50).map(lambda n: n / 100)


@given(st.lists(times, min_size=1, max_size=40))
def test_without_closed_requests_percentiles_are_nearest_rank(waits: list[float]) -> None:
    ordered = [1000 * wait for wait in sorted(waits)]
    expected = Waits(*(percentile(ordered, percent) for percent in (50, 90, 99)))
    assert percentiles([(wait, True) for wait in waits]) == expected


@given(st.lists(st.tuples(times, st.booleans()), min_size=1, max_size=12))
def test_waits_are_estimated_as_by_efrons_redistribution(waits: list[tuple[float, bool]]) -> None:
    """Efron's way to the same estimate: each who leaves hands its weight, in equal parts, to all who wait longer. (Of
    those who end at one moment, the answered go first.)"""
    ordered = sorted(waits, key=lambda wait: (wait[0], not wait[1]))
    weights = [1 / len(ordered)] * len(ordered)
    expected, share = {}, 0.0
    for number, (seconds, answered) in enumerate(ordered):
        if answered:
            share += weights[number]
            expected[seconds] = share
        else:
            longer = range(number + 1, len(ordered))
            for other in longer:
                weights[other] += weights[number] / len(longer)
    curve = dict(answered_by(waits))
    assert curve.keys() == expected.keys()
    assert all(math.isclose(curve[at], expected[at]) for at in curve)


def test_percentiles_that_no_answer_reached_are_unknown() -> None:
    assert percentiles([(0.1, False)] * 99 + [(0.05, True)]) == Waits(None, None, None)
    assert percentiles([]) == Waits(0.0, 0.0, 0.0)


# --- how many servers -------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 70))
def test_the_search_finds_the_smallest(most: int, first: int, begin: int) -> None:
    assert smallest(lambda servers: servers >= first, most, begin) == (first if first <= most else None)


@given(st.integers(0, 10_000), st.integers(1, 200))
def test_an_added_server_takes_users_and_moves_no_others(user: int, servers: int) -> None:
    before, after = server_of(user, servers), server_of(user, servers + 1)
    assert after in (before, servers) and 0 <= before < servers


def test_users_are_spread_evenly() -> None:
    counts = [0] * 50
    for user in range(10_000):
        counts[server_of(user, 50)] += 1
    # binomial with a mean of 200: six standard deviations are 84
    assert max(abs(count - 200) for count in counts) < 84


asked = st.lists(
    st.tuples(st.integers(0, 300), st.booleans(), st.integers(0, 200), st.integers(1, 8), st.integers(1, 400)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(60))
@given(asked)
def test_playing_a_trace_again_gives_the_same_waits(told: list[tuple[int, bool, int, int, int]]) -> None:
    """On the number of servers on which a trace was taken, playing it again gives the same waits: of jobs that are
    closed before they are done, too."""

    class Fixed(Answers):
        """Answers of given sizes."""

        async def _compute(self, question: GenerationRequest):  # type: ignore[no-untyped-def]
            prompt, decode = map(int, question.head.split())
            whole = await super()._compute(question)
            chunk = Chunk("x", (1,), (0.0,))
            return type(whole)(
                max(prompt, 1),
                tuple([type(chunk)("x", usage=type(chunk.usage)(decoded=1))] * decode) + whole.chunks[-1:],
            )

    async def play() -> list[Served]:
        service = Service(SLOW, 2)
        answers = Fixed(ScriptedModel({}))

        async def one(number: int, at: int, foreground: bool, prompt: int, decode: int, patience: int) -> None:
            # each at a moment of its own: of those who come at one, a step may begin between two
            await asyncio.sleep(at / 1000 + number * 1e-5)
            model = ServiceModel(service, number, answers)
            question = GenerationRequest(f"{prompt} {decode}", str(number), "", foreground=foreground)

            async def read() -> None:
                async for _ in model.stream(question):
                    pass

            # not at a moment at which a step can end
            await asyncio.wait({task := asyncio.create_task(read())}, timeout=patience / 1000 + 0.000123)
            task.cancel()
            await asyncio.wait({task})

        await asyncio.gather(*(one(number, *each) for number, each in enumerate(told)))
        return service.trace

    trace = run_virtual(play())
    again = [serve([s for s in trace if server_of(s.user, 2) == place], SLOW) for place in range(2)]
    found = sorted(wait for waits in again for wait in waits)
    assert [done for _, done in found] == [done for _, done in sorted(foreground_waits(trace))]
    assert [wait for wait, _ in found] == pytest.approx([wait for wait, _ in sorted(foreground_waits(trace))])


def test_a_tighter_bound_needs_more_servers() -> None:
    # forty users, each with a generation of 120 ms every 250 ms: one server runs four at a time
    trace = [
        Served(user, True, 100, 0, 6, at / 4 + user / 200, None, 0.0, True) for user in range(40) for at in range(8)
    ]
    demand = Demand.of(trace)
    needed = [servers_needed(demand, SLOW, bound, 80) for bound in (25.0, 2.0, 0.6, 0.25)]
    assert all(found is not None for found in needed)
    assert needed == sorted(needed, key=lambda found: found or 0) and needed[0] != needed[-1]
    assert servers_needed(demand, SLOW, 0.1, 40) is None  # alone it takes 112 ms
    for bound, found in zip((25.0, 2.0, 0.6, 0.25), needed, strict=True):
        assert found is not None
        wait = waits_with(demand, SLOW, found).p90
        assert wait is not None and wait < bound * 1000


def test_kv_memory_keeps_the_users_served_last() -> None:
    memory = KvMemory(tokens=250)  # of two users with 50 tokens each, twice
    first, second, third = (GenerationRequest(name * 40, "", "") for name in "abc")

    def reused(user: int, request: GenerationRequest) -> int:
        usage = memory.found(user, request, 50)
        memory.computed(user, request, 50)
        return usage.reused

    assert reused(0, first) == 0
    assert reused(0, first) == 49
    reused(1, second)
    assert reused(0, first) == 49
    reused(2, third)  # the second has to go
    assert reused(0, first) == 49
    assert reused(1, second) == 0


def test_prompts_closed_before_they_were_computed_are_not_in_kv_memory() -> None:
    """(Else closed requests would count as computed prompts.)"""

    async def play(closed_after_s: float) -> Served:
        service = Service(ServiceProfile(((4, 1.0),), 1.0), 1)
        model = ServiceModel(service, 0, Answers(ScriptedModel({}, token_chars=1)))
        question = GenerationRequest("x" * 5_000, "", "")  # a token each: steps of 2 s, 2 s and a second

        async def read() -> None:
            async for _ in model.stream(question):
                pass

        first = asyncio.create_task(read())
        await asyncio.sleep(closed_after_s)
        first.cancel()
        await asyncio.wait({first})
        assert not service.trace[0].done
        await read()
        return service.trace[1]

    tokens = run_virtual(play(1.0)).prefill
    assert run_virtual(play(1.0)).reused == 0
    part = run_virtual(play(2.5))  # behind one step
    assert part.prefill + part.reused == tokens and abs(part.reused - PREFILL_CHUNK) <= 1


# --- the population ---------------------------------------------------------------------------------------------------


def typing(words: int = 30, name: str = "a") -> Session:
    events, at, now = [], 0, 0.0
    for word in range(words):
        for char in f"{name}{word} ":
            events.append(EditEvent(now, (Edit(at, 0, char),), at + 1))
            at, now = at + 1, now + 0.15
        now += 0.5
    return Session("", tuple(events), name=name, uri=f"file:///{name}.py", language="python")


def test_an_excerpt_begins_as_the_edits_before_it_left_the_document() -> None:
    session = typing()
    for first in (0, 7, len(session.edits) - 1):
        part = excerpt(session, first, 3.0)
        before = Session("", session.edits[:first]).final_text()
        assert part.text == before and part.events[0].t == 0.0 and part.seconds <= 3.0
        assert part.final_text() == Session("", session.edits[: first + len(part.edits)]).final_text()
    assert len(excerpt(session, 3, 60, limit=5).edits) == 5


def test_a_larger_crowd_begins_with_the_smaller_one() -> None:
    sessions = [typing(name="a"), typing(name="b")]
    few, many = list(population(sessions, 5, 4.0, seed=3)), list(population(sessions, 50, 4.0, seed=3))
    assert many[:5] == few
    assert {part.session.name for part in many} == {"a", "b"} and len({part.session.text for part in many}) > 8
    assert all(0 <= part.offset < STAGGER_S for part in many)
    assert list(population(sessions, 5, 4.0, seed=4)) != few


# --- all of it --------------------------------------------------------------------------------------------------------


def crowd(users: int, policy: Policy, servers: int = 0, bound_ms: float = 400.0) -> Run:
    async def play() -> Run:
        answers = Answers(ScriptedModel(pseudo_random()))
        setting = Setting(config=EngineConfig(policy=policy), slots=2)

        async def on(number: int) -> Run:
            return await on_service([typing()], users, 8.0, lambda _: answers, SLOW, number, setting, bound_ms)

        return await (on(servers) if servers else sized(on, 1, 2 * users))

    return run_virtual(play())


@pytest.mark.slow
def test_the_servers_for_a_crowd_are_found_and_the_result_is_saved_and_drawn() -> None:
    runs = [crowd(users, policy) for users in (1, 12) for policy in (Policy.NONE, Policy.ADAPTIVE)]
    for run in runs:
        shared = run.shared
        assert shared is not None and shared.servers_needed == shared.servers
        assert shared.wait_ms.p90 is not None and shared.wait_ms.p90 < 400
        assert 0 < shared.busy_rate <= 1 and shared.tokens_per_s > 0
        assert sum(run.sources.values()) == run.requests > 0 and run.stale_served == 0
        assert shared.foreground + shared.ahead >= shared.closed
    assert [run.shared.ahead for run in runs if run.shared and run.policy == "none"] == [0, 0]
    assert all(run.shared.ahead > 0 for run in runs if run.shared and run.policy == "adaptive")
    kept = loads(dumps(ReplayResult(tuple(runs))))
    assert [run.shared and run.shared.users for run in kept.runs] == [1, 1, 12, 12]
    page = render(kept, crowds(kept.runs))
    assert "Many users on one service" in page and "Servers needed" in page


def test_the_table_of_crowds_comes_before_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    run = results.run("depth1")
    show(ReplayResult((run,)), None)
    alone = capsys.readouterr().out
    shared = Shared(1234, 2, "gpu", 0.01, 400.0, Waits(100.0, 200.0, 300.0), servers_needed=2)
    show(ReplayResult((replace(run, shared=shared),)), None)
    table, line, rest = capsys.readouterr().out.partition("\n\n")
    assert re.search(r"1,234 +depth1 .* 100 ms +200 ms .* 2 +2 *$", table) and line and rest == alone


def test_the_same_seed_gives_the_same_bytes() -> None:
    one, two = (dumps(ReplayResult((crowd(6, Policy.CHAIN, servers=1),))) for _ in range(2))
    assert one == two


def test_fewer_servers_mean_longer_waits() -> None:
    waits = [crowd(16, Policy.NONE, servers).shared for servers in (8, 1)]
    assert waits[0] and waits[1] and waits[0].wait_ms.p90 is not None
    assert waits[1].wait_ms.p90 is None or waits[1].wait_ms.p90 > waits[0].wait_ms.p90
    assert waits[1].busy_rate > waits[0].busy_rate


# --- who comes to wait for what was asked ahead -----------------------------------------------------------------------


def test_a_server_with_priorities_learns_when_speculation_becomes_urgent() -> None:
    class Urgent(ScriptedModel):
        schedules = True

        async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
            async for chunk in super().stream(request):
                yield chunk

    async def play() -> tuple[ScriptedModel, Answer]:
        model = Urgent({"ab": "cdefgh"}, token_s=0.1, token_chars=1)
        engine = CompletionEngine(model, EngineConfig(policy=Policy.TREE), slots=2)
        there = EditContext(Document("file:///a", "ab"), 2)
        engine.rested(there)  # asks ahead
        await asyncio.sleep(0.25)
        answer = await engine.complete(there)
        await engine.close()
        assert answer.suggestion and answer.suggestion.text == "cdefgh"
        return model, answer

    model, answer = run_virtual(play())
    first, second = model.requests
    assert answer.source is Source.JOINED and answer.miss is Miss.NO_TIME
    assert not first.foreground and second.foreground
    assert second.resume == "cd" and model.decoded == 6  # nothing is decoded twice


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_command_line_replays_crowds_and_refuses_invalid_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = tmp_path / "s.jsonl"
    header = {"format": "tabspec-session", "version": 1, "source": "", "licence": "", "language": "python"}
    lines = [json.dumps(header | {"uri": "file:///a.py", "text": ""})]
    for number in range(30):
        edit = {"offset": number, "delete": 0, "insert": "ab(\n"[number % 4]}
        lines.append(json.dumps({"t": number * 0.3, "edits": [edit], "cursor": number + 1}))
    session.write_text("\n".join(lines) + "\n")
    script = tmp_path / "any.json"
    script.write_text(json.dumps({"any": True, "token_s": 9}))
    base = ["replay", str(session), "--model", f"scripted:{script}", "--seconds", "3"]
    out = tmp_path / "out.json"
    assert command([*base, "--users", "3", "--users", "1", "--policy", "adaptive", "--json", str(out)]) == 0
    runs = loads(out.read_text()).runs
    assert [run.shared and run.shared.users for run in runs] == [1, 3]
    capsys.readouterr()
    for wrong, says in (
        (["--users", "2", "--servers", "0"], "--servers"),
        (["--users", "2", "--service", "nobody"], "nobody"),
        (["--users", "2", "--latency", "5"], "--service"),
        (["--users", "0"], "--users"),
    ):
        assert command([*base, *wrong]) == 2
        told = capsys.readouterr().err
        assert says in told and told.count("\n") == 1
    assert command(["replay", str(session), "--users", "2", "--model", "http://127.0.0.1:1"]) == 2
    assert "--clock wall" in capsys.readouterr().err


def test_stop_rules_do_not_depend_on_the_crowd() -> None:
    """(The rule is part of the question that answers are remembered by.)"""

    async def play() -> list[str]:
        answers = Answers(ScriptedModel({"x": "one\ntwo\n"}))
        questions = [GenerationRequest("x", "", "", stop=StopRule(max_lines=lines)) for lines in (1, 2)]
        wholes = [await answers.of(question) for question in (*questions, *questions)]
        assert answers.computed == 2
        return ["".join(chunk.text for chunk in whole.chunks) for whole in wholes]

    assert run_virtual(play()) == ["one", "one\ntwo", "one", "one\ntwo"]
