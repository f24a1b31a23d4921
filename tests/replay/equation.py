"""Compare every served suggestion of whole sessions with a fresh answer: `python -m tests.replay.equation --help`.

A session is replayed on the virtual clock, and everything that the engine answered is kept: each suggestion, wherever
it came from, and each "nothing to suggest". Then a second copy of the model, whose KV cache is emptied before each
question, is asked what it says of those exact documents, and post-processed as the engine does it. Only a suggestion
that a budget has cut may differ, and only in its length: it goes on where it was asked for later.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.prompt_state import PromptState
from tabspec.fitting.postprocess import postprocess
from tabspec.lab.tree import speculator_for
from tabspec.models.load import load_model
from tabspec.models.local.model import LocalModel
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import WindowSize
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import LatencyProfile, TimedModel
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session
from tabspec.suggestion import Answer, Finish, GeneratedText, Reason, Suggestion
from tabspec.text import uses_crlf

Offer = Suggestion | Reason
Heard = list[tuple[EditContext, Answer]]

# Of the compiled decoder, with four generations in one pass: some are ready before a Tab, some are under way.
PROFILE = LatencyProfile(0.0, 0.11, 0.8, together=4, beside=0.24)


@dataclass
class Tally:
    """Answers of one replay by where they came from (those from the completion cache apart), and those that are not
    what the model says now."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    cut: int = 0  # by a budget, and shorter or longer than what the model says now

    @property
    def checked(self) -> int:
        return self.counts.total()

    @property
    def cached(self) -> int:
        """Answers from the completion cache."""
        return sum(count for name, count in self.counts.items() if name.startswith("cached"))

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        return f"{self.checked} checked ({parts}); {self.cut} cut by a budget, {len(self.wrong)} wrong"


class Asked:
    """The model that is asked anew, each time with an empty KV cache; each question once."""

    def __init__(self, model: LocalModel, config: EngineConfig) -> None:
        self._model, self._config = model, config
        self._size = WindowSize(config.prefix_chars, config.suffix_chars, max(config.prefix_chars // 3, 1))
        self._stop = StopRule(config.max_lines, config.max_tokens, *config.doubt)
        self._written: dict[GenerationRequest, GeneratedText] = {}

    async def offer(self, context: EditContext) -> tuple[Offer, Finish]:
        """What is to be offered at ``context``, and how the model's own text ended."""
        request = PromptState.of(context, self._size, "").request(self._stop)
        written = self._written.get(request)
        if written is None:
            await self._model.close()  # empties its KV cache
            written = self._written[request] = await self._write(request)
        if uses_crlf(context.document.text):
            written = _with_crlf(written)
        offer = postprocess(context, written, least=self._config.min_probability)
        return offer, written.finish

    async def _write(self, request: GenerationRequest) -> GeneratedText:
        text, finish, ends, logprobs = "", Finish.END, list[int](), list[float]()
        async with aclosing(self._model.stream(request)) as chunks:
            async for chunk in chunks:
                text, finish = text + chunk.text, chunk.finish or finish
                ends += [len(text)] * len(chunk.tokens)
                logprobs += chunk.logprobs
        return GeneratedText(text, finish, tuple(ends), tuple(logprobs))


def _with_crlf(written: GeneratedText) -> GeneratedText:
    """The same text with the document's line ends."""
    ends = tuple(end + written.text.count("\n", 0, end) for end in written.ends)
    return GeneratedText(written.text.replace("\n", "\r\n"), written.finish, ends, written.logprobs)


@contextmanager
def listening() -> Iterator[Heard]:
    """While this is open, everything that engines answer is kept."""
    heard: Heard = []
    original = CompletionEngine.complete

    @wraps(original)
    async def complete(self: CompletionEngine, context: EditContext, most: int = 1) -> Answer:
        answer = await original(self, context, most)
        heard.append((context, answer))
        return answer

    CompletionEngine.complete = complete  # type: ignore[method-assign]
    try:
        yield heard
    finally:
        CompletionEngine.complete = original  # type: ignore[method-assign]


async def check(
    session: Session,
    serving: LocalModel,
    asked: LocalModel,
    setting: Setting,
    profile: LatencyProfile = PROFILE,
    told: Callable[[str], None] = lambda _: None,
) -> Tally:
    """Replay ``session`` on ``serving``, and ask ``asked`` for everything that was answered. To be run on the virtual
    clock."""
    await serving.close()
    with listening() as heard:
        await replay(session, TimedModel(serving, profile), setting)
    told(f"replayed: {len(heard)} requests")
    tally, fresh = Tally(), Asked(asked, setting.config)
    for context, answer in heard:
        served = answer.suggestion or answer.reason
        if not isinstance(served, Suggestion) and served not in (Reason.EMPTY, Reason.WITHHELD):
            continue
        offer, finish = await fresh.offer(context)
        tally.counts[f"{'cached ' if answer.cached else ''}{answer.source.value if answer.suggestion else served}"] += 1
        if _same(served, offer):
            continue
        if _cut(served, offer, finish):
            tally.cut += 1
        else:
            tally.wrong.append(
                f"{context.prefix[-40:]!r}: served {served!r} ({answer.source}), the model says {offer!r}"
            )
    return tally


def _same(served: Offer, offer: Offer) -> bool:
    if isinstance(served, Reason) or isinstance(offer, Reason):
        return served is offer
    return (served.text, served.replace_after, served.finish) == (offer.text, offer.replace_after, offer.finish)


def _cut(served: Offer, offer: Offer, finish: Finish) -> bool:
    """Whether they differ only because one of them was cut by its budget of tokens."""
    if isinstance(served, Reason) or isinstance(offer, Reason):
        return False
    budget = served.finish is Finish.LENGTH or finish is Finish.LENGTH
    return budget and (offer.text.startswith(served.text) or served.text.startswith(offer.text))


def models(dtype: str) -> tuple[LocalModel, LocalModel]:
    """The bundled model twice: the one that serves, and the one that is asked again."""
    serving, asked = (load_model(dtype=dtype, device="cpu") for _ in range(2))
    assert isinstance(serving, LocalModel) and isinstance(asked, LocalModel)
    return serving, asked


def main(arguments: Sequence[str] | None = None) -> int:
    """Check whole sessions with the bundled model. Exit status 1 if an answer was not what the model says now."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.equation", description=main.__doc__)
    parser.add_argument("sessions", nargs="+", type=Path, metavar="SESSION", help="session files")
    parser.add_argument("--dtype", default="auto", help="auto (the compiled decoder, where it is built) or float32")
    parser.add_argument("--policy", default="tree", choices=[policy.value for policy in Policy])
    parser.add_argument("--think-ms", type=float, default=300)
    parser.add_argument("--limit", type=int, default=None, help="the first N edits only")
    options = parser.parse_args(arguments)
    serving, asked = models(options.dtype)
    print(f"decoder: {type(serving.local.decoder).__name__}, {serving.info.detail}", flush=True)
    wrong = 0
    for path in options.sessions:
        session = read_session(path)
        setting = Setting(
            config=EngineConfig(policy=Policy(options.policy)),
            speculator=speculator_for(Policy(options.policy)),
            think_ms=options.think_ms,
            limit=options.limit,
            slots=PROFILE.together,
        )
        began = time.perf_counter()
        tally = run_virtual(check(session, serving, asked, setting))
        print(f"{path.name}: {tally}; {time.perf_counter() - began:.0f} s", flush=True)
        for line in tally.wrong[:20]:
            print("  " + line, flush=True)
        wrong += len(tally.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
