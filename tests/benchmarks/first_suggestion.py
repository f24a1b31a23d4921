"""Time of the first suggestion in a file that was just opened, and of the next ones while typing, with the place
warmed up (`CompletionEngine.rested`) and without: `python tests/benchmarks/first_suggestion.py`.

The bundled model in its worker process. Files are tabspec's own; before each, so many others are asked about that
nothing of it is in the KV cache. The cursor is put behind a line in the middle, half a second later Enter is pressed,
and then the next line is typed. Waits are those of requests that went to the model.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import median

import tabspec
from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import slots_of
from tabspec.text import Document

FILES = 12
OTHERS = 6  # more prompts than a model keeps KV slots
REST_S = 0.5
TYPED = 12


async def ask(engine: CompletionEngine, name: str, text: str, at: int) -> tuple[float, bool]:
    """Milliseconds until the answer, and whether the model was needed for it."""
    begin = time.perf_counter()
    answer = await engine.complete(EditContext(Document(name, text, "python"), at))
    return (time.perf_counter() - begin) * 1000, not answer.cached


def told(waits: list[float]) -> str:
    return f"{median(waits):.1f} ms (longest {max(waits):.1f}, {len(waits)} times)"


async def main() -> None:
    texts = [path.read_text("utf-8") for path in sorted(Path(tabspec.__file__).parent.rglob("*.py"))]
    texts = [text for text in texts if 6000 < len(text) < 14000][:FILES]
    worker = WorkerModel()
    await worker.start()
    engine = CompletionEngine(worker, EngineConfig(), slots=slots_of(worker))
    first: dict[bool, list[float]] = {False: [], True: []}
    typing: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * len(texts)):
        warm, text = (number + number // len(texts)) % 2 == 1, texts[number % len(texts)]
        for other in range(OTHERS):
            around = texts[(number + other + 1) % len(texts)]
            await ask(engine, f"file:///{number}-{other}.py", around, len(around) // 2)
        at = text.index("\n", len(text) // 2)
        name, rest = f"file:///{number}.py", text[text.index("\n", at + 1) :]
        if warm:
            engine.rested(EditContext(Document(name, text[:at] + rest, "python"), at))
        await asyncio.sleep(REST_S)
        for count in range(1, TYPED + 1):
            took, asked = await ask(engine, name, text[: at + count] + rest, at + count)
            if count == 1:
                first[warm].append(took)
            elif asked:
                typing[warm].append(took)
            await asyncio.sleep(0.1)
    for warm, name in ((False, "as it was"), (True, "warmed up")):
        print(f"{name}: first suggestion {told(first[warm])}; while typing on {told(typing[warm])}")
    await engine.close()
    await worker.close()


if __name__ == "__main__":
    asyncio.run(main())
