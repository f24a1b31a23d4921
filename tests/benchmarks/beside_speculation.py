"""How much later a request is answered because speculation is running when it arrives:
`python tests/benchmarks/beside_speculation.py [POLICY]` (`tree`, which asks for all there is, if none is named).

Three copies of the bundled model, each in its worker process, go through the same requests; one engine asks ahead, the
others never: what lies between those two is the machine's. At each place a suggestion is shown; some milliseconds
later, at a random moment of the work that has begun, the user types something else, and that request goes to the model.
The waits are paired, request by request.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median, quantiles

import tabspec
from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.lab.tree import speculator_for
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import GenerationRequest, StopRule, slots_of
from tabspec.text import Document

PLACES = 400
LIKELY = re.compile(
    r"(?:= |return |self\.|def |import |if |for )"
)  # places where there is a suggestion, more often than not
LONGEST_S = 0.03  # from showing to typing: within it, the futures are asked for


@dataclass
class Side:
    """One of the two engines, and its waits in ms."""

    worker: WorkerModel
    engine: CompletionEngine
    waits: list[float]

    @classmethod
    async def start(cls, policy: Policy) -> Side:
        worker = WorkerModel()
        await worker.start()
        config = EngineConfig(policy=policy).updated({"economy": 0.0})
        speculator = speculator_for(config.policy)
        return cls(worker, CompletionEngine(worker, config, slots=slots_of(worker), speculator=speculator), [])

    async def play(self, text: str, at: int, pause: float, typed: str) -> bool:
        """Show what is suggested at a place, and type something else after a pause; whether that went to the model."""
        name = "file:///a.py"
        context = EditContext(Document(name, text, "python"), at)
        answer = await self.engine.complete(context)
        if answer.suggestion:
            self.engine.shown(context, answer.suggestion)
        await asyncio.sleep(pause)  # (not to the moment: to wait in a loop would take a core from the model)
        begin = time.perf_counter()
        other = await self.engine.complete(
            EditContext(Document(name, text[:at] + typed + text[at:], "python"), at + len(typed))
        )
        self.waits.append((time.perf_counter() - begin) * 1000)
        while self.engine.in_flight != (0, 0):  # noqa: ASYNC110 (both sides begin the next place at rest)
            await asyncio.sleep(0.002)
        return not other.cached

    async def step(self) -> float:
        """Milliseconds from one token of a long answer to the next."""
        stop, times = StopRule(20, 60), []
        request = GenerationRequest("def total(items):\n    result = 0\n", "", "", stop=stop)
        async for _ in self.worker.stream(request):
            times.append(time.perf_counter())
        gaps = [b - a for a, b in pairwise(times)]
        return median(gap for gap in gaps if gap > 1e-4) * 1000  # those of one pass come at once


async def main(policy: Policy) -> None:
    random = Random(5)
    texts = [path.read_text("utf-8") for path in sorted(Path(tabspec.__file__).parent.rglob("*.py"))]
    texts = [text for text in texts if len(text) > 4000]
    sides = [await Side.start(policy) for policy in (Policy.CACHE, Policy.CACHE, policy)]
    without, again, ahead = sides
    later: dict[str, list[float]] = {"asking ahead": [], "nothing": []}
    for number in range(PLACES):
        text = texts[number * len(texts) // PLACES]
        at = random.choice([match.end() for match in LIKELY.finditer(text, len(text) // 3)])
        pause, typed = random.random() * LONGEST_S, random.choice("xqz")
        order = sides[number % 3 :] + sides[: number % 3]
        if all([await side.play(text, at, pause, typed) for side in order]):
            later["asking ahead"].append(ahead.waits[-1] - without.waits[-1])
            later["nothing"].append(again.waits[-1] - without.waits[-1])
    print(f"{len(later['nothing'])} pairs, {ahead.engine.stats.speculative_tokens} tokens asked ahead")
    print("waits, ms: " + ", ".join(f"{median(side.waits):.2f}" for side in sides))
    for what, differences in later.items():
        cuts = quantiles(differences, n=100)
        told = ", ".join(f"p{percent} {cuts[percent - 1]:.2f}" for percent in (1, 10, 50, 90, 99))
        print(f"later by {what}: {told}, most {max(differences):.2f}")
    print(f"from one token to the next: {await without.step():.2f} ms")
    for side in sides:
        await side.engine.close()
        await side.worker.close()


if __name__ == "__main__":
    asyncio.run(main(Policy(sys.argv[1] if len(sys.argv) > 1 else "tree")))
