"""Where a text is settled, models stop, and what is offered is what would be offered had they gone on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.alternatives import Alternatives
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.prompt_state import PromptState
from tabspec.fitting.early_stop import Around, end_with_block
from tabspec.fitting.postprocess import postprocess
from tabspec.fitting.repetition import cut_repetition, find_loop
from tabspec.fitting.truncation import FitPlace
from tabspec.models.http.answers.reading import read_on
from tabspec.models.http.apis import Ask, StreamEvent
from tabspec.models.load import load_model
from tabspec.models.local.generation import LocalDecoding, generate
from tabspec.models.local.logits import Logits
from tabspec.models.local.model import LocalModel
from tabspec.models.local.slots import Decoder, Slots
from tabspec.models.messages import read_request, request_fields
from tabspec.models.protocol import Chunk, GenerationRequest, StopRule, Usage
from tabspec.models.scripted.model import ScriptedModel
from tabspec.prompt.window import WindowSize
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Answer, Finish, GeneratedText
from tabspec.text import Document
from tests import tiny
from tests.examples import examples

BELOW = "a b c d e f"  # long enough to count
PIECES = st.sampled_from(["a", "b", "ab", "-", " ", "\n", "\n  ", "\n    ", ")", "é", BELOW, "\n" + BELOW, "x" * 9])
TEXTS = st.lists(PIECES, max_size=14).map("".join) | st.builds(
    lambda a, turn, times, b: a + turn * times + b,
    st.text("ab-\n ", max_size=4),
    st.text("ab-\n ", min_size=1, max_size=6),
    st.integers(2, 6),
    st.text("ab-\n ", max_size=4),
)
DOCUMENTS = st.tuples(
    st.sampled_from(["", "x", "  ", "    if x:", "def f():\n    y", "  a\n", " a b"]),
    st.sampled_from(["", ")", "\n" + BELOW + "\nz", "\n\n    " + BELOW, " c d e f\n", "\r\n" + BELOW]),
)


def at(before: str, behind: str) -> EditContext:
    return EditContext(Document("file:///a.py", before + behind, "python"), len(before))


def tokens(text: str, size: int, finish: Finish = Finish.END) -> GeneratedText:
    ends = tuple(min(i + size, len(text)) for i in range(0, len(text), size))
    return GeneratedText(text, finish, ends, tuple(-0.1 * (i + 1) for i in range(len(ends))))


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("ab " * 4, (12, 0)),
        ("x = a, a, a, a, a", (15, 3)),
        ("f(a) f(a) f(a) f(a) f(a)", (20, 0)),
        ("========", None),
        ("        ", None),
        ("ab ab ab", None),
        ("0x" + "F" * 16, None),
        ("00000000-0000-0000-0000-000000000000", None),
        ("[0, 0, 0, 0, 0, 0, 0, 0]", None),
        ('"%02x%02x%02x%02x"', None),
        ("[" + "0, " * 40, (97, 1)),
        ("a" * 80, (64, 0)),
        ("n" + "0123 56789" * 16, (41, 5)),  # not within a word
    ],
)
def test_four_times_are_a_loop_and_thirty_two_within_a_value(text: str, complete: tuple[int, int] | None) -> None:
    assert find_loop(text) == complete


@given(DOCUMENTS, TEXTS, st.integers(0, 40))
def test_settled_is_a_matter_of_the_beginning_alone(document: tuple[str, str], text: str, since: int) -> None:
    near = FitPlace(at(*document)).around
    end = near.cut_point(text)
    for size in range(len(text) + 1):
        assert near.cut_point(text[:size]) == (end if end is not None and end <= size else None)
    if end is None or since < end:
        assert near.cut_point(text, since) == end


@given(DOCUMENTS, TEXTS, TEXTS)
def test_what_comes_behind_a_settled_text_changes_nothing(document: tuple[str, str], text: str, more: str) -> None:
    """Each cut that settles a text leaves as much of it, whatever follows: so stopping there loses nothing."""
    near = FitPlace(at(*document)).around
    left = end_with_block(near.line, text)
    if replace(near, repetition=False).cut_point(text) is not None:
        assert end_with_block(near.line, text + more) == left != text
    if replace(near, indentation=False).cut_point(text) is not None:
        assert cut_repetition(near.line, text + more, near.below) == cut_repetition(near.line, text, near.below) != text


@given(DOCUMENTS, TEXTS, st.integers(1, 5), st.booleans())
def test_what_is_offered_does_not_tell_whether_the_model_stopped(
    document: tuple[str, str], text: str, size: int, crlf: bool
) -> None:
    before, behind = document
    if crlf:
        before, text = "\r\n" + before, text.replace("\n", "\r\n")
    context = at(before, behind)
    whole = tokens(text, size)
    place = FitPlace(context)
    stopped = place.truncate(whole)
    assert place.truncate(stopped) == stopped
    assert postprocess(context, stopped) == postprocess(context, whole)
    end = place.cut_point(text)
    assert (end is None) == (stopped == whole) or stopped.finish is Finish.STOP
    if end is not None:
        assert stopped.text == text[:end] and (not stopped.ends or stopped.ends[-1] == end)


def test_the_rule_crosses_the_wire() -> None:
    request = PromptState.of(at("x", "\n" + BELOW), WindowSize(), "").request(StopRule())
    assert request.stop.around == Around("x", BELOW)
    assert read_request(request_fields(request)) == request


# --- in the loop ------------------------------------------------------------------------------------------------------


class Parrot:
    """A `Decoder` that says the same text again and again: behind each token comes what follows it there."""

    def __init__(self, decoder: Decoder, said: Sequence[int]) -> None:
        self.inner, self.first, self.context = decoder, said[0], decoder.context
        self.next = dict(zip(said, [*said[1:], said[0]], strict=True))
        self.new_kv, self.truncate, self.copy = decoder.new_kv, decoder.truncate, decoder.copy

    def forward(self, kv: object, tokens: Sequence[int], want: int) -> Logits:
        logits = self.inner.forward(kv, tokens, want).copy()
        for row, token in zip(logits, tokens[len(tokens) - want :], strict=True):
            row[self.next.get(token, self.first)] = 1e3
        return logits


def parrot(folder: Path, said: str) -> LocalDecoding:
    model = load_model(str(folder), device="cpu", dtype="float32")
    assert isinstance(model, LocalModel)
    decoder = Parrot(model.local.decoder, model.local.vocabulary.encode(said))
    return replace(model.local, decoder=decoder, slots=Slots(decoder), ngram_caches=None)


def written(local: LocalDecoding, request: GenerationRequest) -> tuple[GeneratedText, int]:
    """An answer, and how many tokens were decoded for it."""

    async def ask() -> list[Chunk]:
        return [chunk async for chunk in generate(local, request)]

    text, usage, finish = "", Usage(), Finish.END
    ends, logprobs = list[int](), list[float]()
    for chunk in asyncio.run(ask()):
        text += chunk.text
        ends += [len(text)] * len(chunk.tokens)
        logprobs += chunk.logprobs
        usage += chunk.usage
        finish = chunk.finish or finish
    return GeneratedText(text, finish, tuple(ends), tuple(logprobs)), usage.decoded


@pytest.mark.parametrize("said", ["ab ", "x = foo(1) ", "\n    if name:\n        z\nend"])
def test_no_token_is_decoded_behind_the_one_that_settles_the_text(tmp_path: Path, said: str) -> None:
    local = parrot(tiny.save_model(tmp_path / "model", tiny.byte_level(tiny.OURS), "llama"), said)
    stopped_early, stop = 0, StopRule(max_lines=12, max_tokens=48)
    for offset in range(20, len(tiny.CODE), 47):
        context = EditContext(Document("file:///a.py", tiny.CODE, "python"), offset)
        request = PromptState.of(context, WindowSize(), "").request(stop)
        fresh = [replace(local, slots=Slots(local.decoder)) for _ in range(2)]  # nothing is kept from one to the other
        whole, without = written(fresh[0], replace(request, stop=stop))
        early, decoded = written(fresh[1], request)
        expected = FitPlace(context).truncate(whole)
        assert early.text == expected.text
        assert early.ends == expected.ends and early.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
        assert decoded == without - (len(whole.ends) - len(expected.ends))
        stopped_early += decoded < without
    assert stopped_early >= 5


def test_the_stream_of_a_server_is_closed_where_the_text_is_settled() -> None:
    sent: list[str] = []

    async def pieces(asked: Ask) -> AsyncGenerator[StreamEvent, None]:
        for number in range(10):
            sent.append("ab ")
            yield StreamEvent("ab ", (number,), (-0.1,))

    async def read(request: GenerationRequest) -> list[Chunk]:
        return [chunk async for chunk in read_on(pieces, lambda: Ask("/v1/completions", {}), request)]

    request = PromptState.of(at("x = ", ""), WindowSize(), "").request(StopRule())
    chunks = asyncio.run(read(request))
    assert "".join(chunk.text for chunk in chunks) == "ab " * 4 and len(sent) == 4
    assert chunks[-1].finish is Finish.STOP


# --- in the engine ----------------------------------------------------------------------------------------------------

# A model that leaves the block: the last line is outside of it where the cursor is, and inside of it further on.
LINES = "    if a:\n        b\n        c\n    d\nend\nmore\n"


def engine_answers(texts: list[str], stops: bool) -> list[list[str]]:
    """What is suggested behind each of ``texts``, one after another, by a model that knows `LINES`."""

    class Deaf(ScriptedModel):
        """Does not stop where a text is settled."""

        def answer(self, request: GenerationRequest) -> tuple[str, Finish]:
            return super().answer(request if stops else replace(request, stop=replace(request.stop, around=None)))

    model = Deaf(lambda request: LINES.removeprefix(request.prefix), token_chars=1)

    async def play() -> list[Answer]:
        config = EngineConfig(policy=Policy.CACHE, max_lines=10, max_tokens=400)
        engine = CompletionEngine(model, config)
        try:
            return [await engine.complete(at(text, "")) for text in texts]
        finally:
            await engine.close()

    return [[suggestion.text for suggestion in answer.suggestions] for answer in run_virtual(play())]


def test_an_answer_that_stopped_is_not_served_where_it_is_a_beginning() -> None:
    """After the first line the text ends with its block. When all of it has been typed, the model is asked again."""
    typed = [LINES[:end] for end in (9, 12, 20, len("    if a:\n        b\n        c"), len(LINES) - 10)]
    stopping, going_on = engine_answers(typed, stops=True), engine_answers(typed, stops=False)
    fresh = [engine_answers([text], stops=False)[0] for text in typed]
    assert stopping == fresh == going_on
    assert stopping[0] == ["\n        b\n        c"] and stopping[3] == ["\n    d"]


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.integers(0, len(LINES)), min_size=1, max_size=5).map(sorted))
def test_answers_are_those_of_a_model_that_goes_on(places: list[int]) -> None:
    typed = [LINES[:end] for end in places]
    assert engine_answers(typed, stops=True) == [engine_answers([text], stops=False)[0] for text in typed]


@pytest.mark.parametrize("begun", [":", ":\n            y"])
def test_an_alternative_is_judged_where_its_beginning_is_typed(begun: str) -> None:
    """Behind it, the last lines are of another block; seen from before it, they are not."""

    def question(state: EditContext) -> PromptState:
        return PromptState.of(state, WindowSize(), "")

    state, rest = at("    x", ""), tokens("\n            z\n        w = 1\n        v", 3)
    alternatives = Alternatives(StopRule(10), question, lambda asked: None)
    stopped = FitPlace(state.after_typing(begun)).truncate(rest)
    asked = question(state)
    assert alternatives._within(asked, begun, rest) == alternatives._within(asked, begun, stopped)
    assert alternatives._within(asked, begun, rest).text == "\n            z"
