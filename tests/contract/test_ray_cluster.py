"""A real cluster: two nodes on loopback, Ray Serve, our own HTTP client, and nodes that die during answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tabspec.lab.baselines.ports import free_port
from tabspec.models.http import HttpModel, cluster_client
from tabspec.models.load import load_model
from tabspec.models.protocol import Chunk, GenerationRequest, Model, StopRule
from tests.patience import PATIENCE
from tests.ray_cluster import TwoNodes, two_nodes

# Ray's own use of pydantic and of processes' resources
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("no_hurry")]

CPUS = 1  # each node claims so many, and a replica takes one: two replicas are on two nodes
# Ray's hash ring gives each to one of two replicas. That one of these has none: 1 in 100,000 if its share is 0.6.
EDITORS = 24
QUESTIONS = [
    GenerationRequest(f"def area{n}(width, height):", "\n    ret", "\n\n\nprint(1)\n", "a.py", "python")
    for n in range(6)
]


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    with two_nodes(CPUS, free_port()) as started:
        yield started


@contextmanager
def served(nodes: TwoNodes, name: str | None, route: str, replicas: int, cpus: float = 1.0) -> Iterator[str]:
    """Deploy an application, give its address, and remove it."""
    from ray import serve

    from tabspec.cluster.app import ClusterOptions, application
    from tabspec.cluster.replica import ModelOptions

    options = ClusterOptions(ModelOptions(name), replicas=replicas, cpus=cpus, ingresses=2)
    serve.run(application(options), name=route, route_prefix=f"/{route}")
    try:
        yield f"{nodes.url}/{route}"
    finally:  # its processors are for the next one
        nodes.remove(route)


async def ask(model: Model, question: GenerationRequest) -> list[Chunk]:
    async with aclosing(model.stream(question)) as chunks:
        return [chunk async for chunk in chunks]


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def test_the_cluster_answers_as_the_local_model_and_each_editor_keeps_its_kv_cache(nodes: TwoNodes) -> None:
    """Suggestions equal those of the model in this process. An editor that asks again finds its prompt's keys and
    values on three replicas, which it would by chance in one of 3^6 runs."""

    async def compare(url: str) -> None:
        local = load_model()
        for question in QUESTIONS:
            editor = HttpModel(url)
            first = await ask(editor, question)
            assert editor.info.fingerprint == local.info.fingerprint
            assert text(first) == text(await ask(local, question))
            again = await ask(editor, question)
            assert text(again) == text(first)
            prompt = sum(chunk.usage.prefill + chunk.usage.reused for chunk in first)
            assert sum(chunk.usage.reused for chunk in again) >= prompt - 1
            await editor.close()

    with served(nodes, None, "bundled", replicas=3, cpus=0.5) as url:
        asyncio.run(compare(url))


def test_a_closed_stream_stops_the_decoding(nodes: TwoNodes, tmp_path: Path) -> None:
    script = tmp_path / "slow.json"
    # 900 s of decoding, three times as long as the test waits: it would not be over by itself
    script.write_text(json.dumps({"answers": {"x": "y" * 9000}, "token_s": 0.1, "token_chars": 1}))
    from ray import serve

    with served(nodes, f"scripted:{script}", "slow", replicas=1) as url:
        asyncio.run(close_one(url, serve.get_deployment_handle("model", "slow")))


async def close_one(url: str, handle: Any) -> None:
    """Open two streams, of a foreground request and of a speculation, and close one after the other."""

    async def until(wanted: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while await handle.waiting.remote() != wanted:  # noqa: ASYNC110 (it is in another process)
                await asyncio.sleep(0.02)

    editor = HttpModel(url)
    stop = StopRule(9, 9999)
    ahead = editor.stream(GenerationRequest("x", "", "", stop=stop, foreground=False))
    stream = editor.stream(GenerationRequest("x", "", "", stop=stop))
    await anext(ahead)
    await anext(stream)
    await until(2)
    await stream.aclose()
    await until(1)
    await ahead.aclose()
    await until(0)
    await editor.close()


# --- deaths -----------------------------------------------------------------------------------------------------------


class Editors:
    """Editors that ask all the time, each its own question. Nothing here depends on the speed of the machine: answers
    are counted, and a death comes when the editors are in the middle of answers."""

    def __init__(self, url: str, answers: Mapping[str, str]) -> None:
        self.url, self.answers = url, answers
        self.said = dict.fromkeys(answers, "")  # of the answer that an editor is at
        self.answered = dict.fromkeys(answers, 0)
        self.taken_up = 0
        """Answers that one replica has begun to say, and another one has ended."""
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()

    async def work(self) -> None:
        """Ask until cancelled. Raises what an editor would see as an error, and `AssertionError` for a wrong answer."""
        async with asyncio.TaskGroup() as group:
            for prefix in self.answers:
                group.create_task(self._ask(prefix))

    async def _ask(self, prefix: str) -> None:
        model = HttpModel(self.url)
        question = GenerationRequest(prefix, "", "", stop=StopRule(9, 999))
        try:
            while True:
                self.said[prefix] = ""
                taken_up = False
                async with aclosing(model.stream(question)) as chunks:
                    async for chunk in chunks:
                        taken_up |= chunk.usage.prefill > 0 and self.said[prefix] != ""
                        self.said[prefix] += chunk.text
                        self._news.set()
                assert self.said[prefix] == self.answers[prefix]
                self.taken_up += taken_up
                self.answered[prefix] += 1
                self._news.set()
        finally:
            await model.close()


@contextmanager
def at_work(nodes: TwoNodes, folder: Path, route: str) -> Iterator[Editors]:
    """A replica on each node, and editors for them. An answer takes 3.2 s, so that deaths interrupt it; all editors
    together get 60 tokens a second, which costs little of a processor."""
    answers = {f"x{n} = ": f"{n:02}abcdef" for n in range(EDITORS)}
    script = folder / "answers.json"
    script.write_text(json.dumps({"answers": answers, "token_s": 0.4, "token_chars": 1}))
    with served(nodes, f"scripted:{script}", route, replicas=2) as url:
        assert len(nodes.replicas(nodes.cluster.head_node)) == len(nodes.replicas(nodes.other)) == 1
        yield Editors(url, answers)


async def kill_in_the_middle(editors: Editors, kill: Callable[[], None]) -> None:
    """Call ``kill`` when three of four editors have got a part of an answer; all at once may never be. Then each gets
    two answers: the one that it was at, and one that it has asked for after the death."""
    work = asyncio.ensure_future(editors.work())

    async def scene() -> None:
        await editors.until(lambda: sum(map(bool, editors.said.values())) >= 0.75 * EDITORS)
        await asyncio.to_thread(kill)
        before = dict(editors.answered)
        await editors.until(lambda: all(editors.answered[prefix] >= count + 2 for prefix, count in before.items()))

    playing = asyncio.ensure_future(scene())
    await asyncio.wait((work, playing), return_when=asyncio.FIRST_COMPLETED)
    playing.cancel()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work  # raises if an editor saw an error
    await playing


def test_a_replica_that_dies_loses_no_answer(nodes: TwoNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ingress lets the other replica continue. The client does not help: it asks once."""
    monkeypatch.setattr(cluster_client, "TRIES", 1)
    with at_work(nodes, tmp_path, "replica") as editors:
        asyncio.run(kill_in_the_middle(editors, nodes.kill_replica))
    assert editors.taken_up


def test_a_node_that_dies_loses_no_answer(nodes: TwoNodes, tmp_path: Path) -> None:
    """A replica and an ingress are lost at once, and their machine does not say so. It stays dead: the last test."""
    with at_work(nodes, tmp_path, "node") as editors:
        asyncio.run(kill_in_the_middle(editors, nodes.kill_other_node))
    assert editors.taken_up
