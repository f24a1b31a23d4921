"""The engine on a virtual clock with a scripted model: answers, what runs, and what is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.generation import Generation, Link, State
from tabspec.engine.offering import Rejections
from tabspec.engine.prompt_state import PromptState
from tabspec.engine.stats import EngineStats
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.lab.tree import FUTURES, speculator_for
from tabspec.models.protocol import Chunk, GenerationRequest
from tabspec.models.scripted.model import ScriptedModel, continuing
from tabspec.prompt.window import WindowSize
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Answer, Finish, GeneratedText, Miss, Reason, Source, Suggestion
from tabspec.text import Document, Edit

TARGET = "def total(items):\n    result = 0\n    for item in items:\n        result += item\n    return result\n"
URI = "file:///total.py"


def at(length: int, uri: str = URI) -> EditContext:
    return EditContext(Document(uri, TARGET[:length], "python"), length)


def writer(prefill: float = 0.1, token: float = 0.01) -> ScriptedModel:
    """A model that knows TARGET; a suggestion takes 100 ms and 10 ms a token of 4 characters."""
    return ScriptedModel(continuing(TARGET), prefill_s=prefill, token_s=token)


class SlowToLeave(ScriptedModel):
    """`writer`, whose answer to the question at 10 characters takes a second to end once it is closed."""

    def __init__(self, token: float = 0.01) -> None:
        super().__init__(continuing(TARGET), prefill_s=0.1, token_s=token)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        try:
            async for chunk in super().stream(request):
                yield chunk
        except (asyncio.CancelledError, GeneratorExit):
            await asyncio.sleep(1 if request.prefix == TARGET[:10] else 0)
            raise


@asynccontextmanager
async def engine_on(model: ScriptedModel, **settings: object) -> AsyncIterator[CompletionEngine]:
    config = EngineConfig().updated(settings)
    engine = CompletionEngine(model, config, speculator=speculator_for(config.policy))
    try:
        yield engine
    finally:
        await engine.close()
        assert model.running == 0, "nothing runs on after close"


async def shown_at(engine: CompletionEngine, context: EditContext) -> Answer:
    """The answer to a request, whose suggestion is on the screen now."""
    answer = await engine.complete(context)
    assert answer.suggestion
    engine.shown(context, answer.suggestion)
    return answer


def virtual(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run an async test on the virtual clock."""

    def run() -> None:
        run_virtual(test())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@virtual
async def test_model_then_exact_then_type_through() -> None:
    async with engine_on(writer(), policy="cache") as engine:
        first = await engine.complete(at(10))
        assert first.source is Source.MODEL and first.suggestion
        assert first.suggestion.text == "items):"
        assert first.waited == pytest.approx(0.12)
        again = await engine.complete(at(10))
        assert (again.source, again.suggestion, again.waited) == (Source.EXACT, first.suggestion, 0)
        typed = await engine.complete(at(13))
        assert typed.source is Source.TYPE_THROUGH and typed.suggestion and typed.suggestion.text == "ms):"
        back = await engine.complete(at(12))
        assert back.source is Source.TYPE_THROUGH and back.suggestion and back.suggestion.text == "ems):"


@virtual
async def test_policy_none_asks_the_model_each_time() -> None:
    model = writer()
    async with engine_on(model, policy="none") as engine:
        for _ in range(2):
            assert (await engine.complete(at(10))).source is Source.MODEL
    assert len(model.requests) == 2


@virtual
async def test_the_suggestion_after_an_accept_is_already_computed() -> None:
    async with engine_on(writer(), policy="depth1") as engine:
        context = at(10)
        for _ in range(4):
            answer = await engine.complete(context)
            assert answer.suggestion
            if context.offset > 10:
                assert (answer.source, answer.waited) == (Source.SPECULATED, 0)
            engine.shown(context, answer.suggestion)
            await asyncio.sleep(0.6)
            engine.accepted(context, answer.suggestion)
            context = context.after_accept(answer.suggestion)
        assert engine.stats.hit_rate == 3 / 4


@virtual
async def test_a_chain_serves_a_burst_of_tabs_and_depth1_does_not() -> None:
    instant = {}
    for policy in ("depth1", "chain"):
        async with engine_on(writer(), policy=policy, depth=4) as engine:
            context, instant[policy] = at(10), 0
            for i in range(5):
                answer = await engine.complete(context)
                assert answer.suggestion
                instant[policy] += answer.instant
                engine.shown(context, answer.suggestion)
                await asyncio.sleep(1.0 if i == 0 else 0.05)
                engine.accepted(context, answer.suggestion)
                context = context.after_accept(answer.suggestion)
    assert instant == {"depth1": 1, "chain": 4}


@virtual
async def test_a_request_joins_a_speculation_in_flight() -> None:
    model = writer()
    async with engine_on(model, policy="depth1") as engine:
        context = at(10)
        answer = await shown_at(engine, context)
        await asyncio.sleep(0.05)  # half of the prefill
        after = context.after_accept(answer.suggestion)
        joined = await engine.complete(after)
        assert joined.source is Source.JOINED
        assert joined.waited == pytest.approx(0.05 + 0.01 * 4)
        assert len(model.requests) == 2 and model.cancelled == 0


@virtual
async def test_typing_on_in_agreement_joins_and_contradiction_starts_anew() -> None:
    model = writer()
    async with engine_on(model, policy="cache") as engine:
        early = asyncio.create_task(engine.complete(at(10)))
        await asyncio.sleep(0.05)
        later = asyncio.create_task(engine.complete(at(12)))
        assert (await early).reason is Reason.SUPERSEDED
        answer = await later
        assert answer.source is Source.JOINED and answer.suggestion and answer.suggestion.text == "ems):"
        assert len(model.requests) == 1

        wrong = at(12).after_typing("X")
        asked = asyncio.create_task(engine.complete(at(11)))
        await asyncio.sleep(0.01)
        assert (await engine.complete(wrong)).source is not Source.JOINED
        assert (await asked).reason in (Reason.SUPERSEDED, None)


@virtual
async def test_a_joined_generation_that_turns_out_otherwise_is_left() -> None:
    """At first nothing is known of its text; when it contradicts what was typed, the request asks for itself."""
    model = ScriptedModel({"a": "bcd", "aX": "yz"}, prefill_s=0.1, token_s=0.01)
    async with engine_on(model, policy="cache") as engine:
        first = asyncio.create_task(engine.complete(EditContext(Document(URI, "a"), 1)))
        await asyncio.sleep(0.05)
        answer = await engine.complete(EditContext(Document(URI, "aX"), 2))
        assert answer.source is Source.MODEL and answer.suggestion and answer.suggestion.text == "yz"
        assert (await first).reason is Reason.SUPERSEDED


@virtual
async def test_a_foreground_request_interrupts_speculation_which_then_continues() -> None:
    model = writer()
    async with engine_on(model, policy="depth1") as engine:
        context = at(10)
        answer = await shown_at(engine, context)
        await asyncio.sleep(0.115)  # the speculation has decoded one token
        other = await engine.complete(at(30, "file:///other.py"))
        assert other.waited == pytest.approx(0.1 + 0.01 * 2, abs=0.011), "at most one decode step later than alone"
        await asyncio.sleep(0.5)
        after = await engine.complete(context.after_accept(answer.suggestion))
        assert (after.source, after.waited) == (Source.SPECULATED, 0)
        assert after.suggestion and after.suggestion.text == "\n    result = 0"
        resumed = model.requests[-1]
        assert resumed.resume and not resumed.foreground, "it went on with what it had written"


@virtual
async def test_work_stops_when_it_is_unreachable_and_only_then() -> None:
    model = writer()
    async with engine_on(model, policy="chain") as engine:
        context = at(10)
        await shown_at(engine, context)
        await asyncio.sleep(0.01)
        engine.changed(at(12))
        await asyncio.sleep(0)
        assert model.running == 1, "typing what the suggestion says leads to the speculated state"
        engine.changed(at(12).after_typing("?"))
        await asyncio.sleep(0.001)
        assert model.running == 0 and model.cancelled == 1
        await asyncio.sleep(1)
        assert len(model.requests) == 2


@virtual
async def test_a_rejected_suggestion_is_not_offered_again_at_its_place() -> None:
    model = writer()
    async with engine_on(model, policy="chain") as engine:
        context = at(10)
        answer = await shown_at(engine, context)
        await asyncio.sleep(0.01)
        engine.rejected(context, answer.suggestion)
        await asyncio.sleep(0.001)
        assert model.running == 0, "what was asked ahead behind it stops"
        assert (await engine.complete(context)).reason is Reason.REJECTED
        assert (await engine.complete(at(12))).reason is Reason.REJECTED, "nor is its rest while it is typed"
        elsewhere = EditContext(context.document.edited(Edit(10, 0, "\n# later")), 10)
        assert (await engine.complete(elsewhere)).suggestion


@virtual
async def test_every_request_ends_in_exactly_one_outcome() -> None:
    async with engine_on(writer(), policy="chain") as engine:
        tasks = [asyncio.create_task(engine.complete(at(i, f"file:///{i % 3}"))) for i in range(5, 25)]
        await asyncio.sleep(0.03)
        tasks[-1].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[-1], asyncio.CancelledError)
        assert engine.stats.requests == 20
        assert engine.stats.reasons[Reason.CANCELLED] == 1
        assert engine.stats.reasons[Reason.SUPERSEDED] == 17
        assert engine.stats.sources.total() == 20


@virtual
async def test_requests_fail_with_the_model_and_work_again_after_it() -> None:
    model = writer()
    async with engine_on(model, policy="chain") as engine:
        model.fail, model.fail_after = ModelError("out of memory"), 1
        answer = await engine.complete(at(10))
        assert (answer.source, answer.reason, answer.detail) == (Source.NONE, Reason.FAILED, "out of memory")
        model.fail = ModelUnavailable("gone")
        assert (await engine.complete(at(10))).reason is Reason.UNAVAILABLE
        model.fail = RuntimeError("a bug in a model")
        assert (await engine.complete(at(10))).reason is Reason.FAILED
        model.fail = None
        assert (await engine.complete(at(10))).source is Source.MODEL


@virtual
async def test_closing_a_document_ends_what_was_asked_for_it() -> None:
    model = writer()
    async with engine_on(model, policy="chain") as engine:
        asked = asyncio.create_task(engine.complete(at(10)))
        await asyncio.sleep(0.01)
        engine.closed(URI)
        assert (await asked).source is Source.NONE
        assert model.running == 0


@virtual
async def test_a_cancelled_request_leaves_what_it_asked_for_running() -> None:
    """Its document has not moved on: the answer will be there when the editor asks again."""
    async with engine_on(writer(), policy="cache") as engine:
        asked = asyncio.create_task(engine.complete(at(10)))
        await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.sleep(1)
        assert (await engine.complete(at(10))).instant


@virtual
async def test_tokens_are_accounted_for() -> None:
    model = writer()
    async with engine_on(model, policy="chain", depth=2) as engine:
        context = at(10)
        answer = await shown_at(engine, context)
        await asyncio.sleep(2)
        stats = engine.stats
        assert stats.usage.decoded == model.decoded
        assert stats.speculative_tokens == model.decoded - 2 and stats.speculative_used == 0
        after = await engine.complete(context.after_accept(answer.suggestion))
        assert after.suggestion
        assert stats.speculative_used == -(-len(after.suggestion.text) // 4)
        await engine.complete(context.after_accept(answer.suggestion))
        assert stats.speculative_used == -(-len(after.suggestion.text) // 4), "counted once"


@virtual
async def test_a_long_document_gets_no_suggestion() -> None:
    async with engine_on(writer(), max_document_chars=20) as engine:
        assert (await engine.complete(at(21))).reason is Reason.EXCLUDED
        assert (await engine.complete(at(20))).suggestion


@virtual
async def test_a_document_that_becomes_too_long_stops_requests_and_speculation() -> None:
    model = writer()
    async with engine_on(model, policy="depth1", max_document_chars=20) as engine:
        asked = asyncio.create_task(engine.complete(at(14)))
        await asyncio.sleep(0.05)
        assert (await engine.complete(EditContext(Document(URI, "#" * 21), 21))).reason is Reason.EXCLUDED
        await asked
        await asyncio.sleep(0.01)
        assert model.running == 0
        answer = await engine.complete(at(14))
        assert answer.suggestion
        engine.shown(at(14), answer.suggestion.first_word())
        engine.shown(at(14), Suggestion("a suggestion that leads beyond"))
        await asyncio.sleep(1)
        assert all(len(request.prefix) <= 20 for request in model.requests)


@virtual
async def test_crlf_documents_get_crlf() -> None:
    model = ScriptedModel({"a\nb": "c\n\nd"}, token_chars=1)
    async with engine_on(model, policy=Policy.CACHE, max_lines=2) as engine:
        context = EditContext(Document(URI, "a\r\nb\r\n"), 4)
        answer = await engine.complete(context)
        assert answer.suggestion == Suggestion(
            "c\r\n\r\nd",
            logprob=answer.suggestion and answer.suggestion.logprob,
            probability=answer.suggestion and answer.suggestion.probability,
        )


@virtual
async def test_the_suggestion_at_a_resting_cursor_is_speculated() -> None:
    async with engine_on(writer(), policy="tree") as engine:
        engine.rested(at(10))
        await asyncio.sleep(1)
        answer = await engine.complete(at(11))
        assert (answer.source, answer.waited) == (Source.SPECULATED, 0)
        assert engine.stats.kinds["rest"].used == 1
    model = writer()
    async with engine_on(model, policy="depth1") as engine:
        engine.rested(at(10))
        await asyncio.sleep(1)
        assert not model.requests, "one accept ahead, and nothing else"


@virtual
async def test_policy_tree_speculates_on_enter_after_an_accept() -> None:
    model = ScriptedModel({"a": "b = 1", "ab = 1": "", "ab = 1\n": "c"})
    instant = {}
    for policy in ("chain", "tree"):
        async with engine_on(model, policy=policy) as engine:
            context = EditContext(Document(URI, "a"), 1)
            answer = await shown_at(engine, context)
            await asyncio.sleep(1)
            engine.accepted(context, answer.suggestion)
            after = context.after_accept(answer.suggestion)
            await engine.complete(after)
            instant[policy] = (await engine.complete(after.after_typing("\n"))).source
    assert instant == {"chain": Source.MODEL, "tree": Source.SPECULATED}


@virtual
async def test_policy_adaptive_speculates_on_likely_accepts_only() -> None:
    for logprob, asked in ((-0.05, True), (-1.5, False)):
        model = ScriptedModel(continuing(TARGET), prefill_s=0.1, token_s=0.01, token_chars=100, logprob=logprob)
        async with engine_on(model, policy="adaptive", economy=0.5) as engine:
            await shown_at(engine, at(10))
            await asyncio.sleep(5)
            assert (len(model.requests) > 1) == asked


@virtual
async def test_policy_adaptive_starts_as_late_as_the_users_pace_allows() -> None:
    """Who reads for half a second has the next suggestion in time, and what is typed over before costs nothing."""
    model = writer(prefill=0.03)
    async with engine_on(model, policy="adaptive") as engine:
        for _ in range(16):
            engine._price.pace.taken(0.5, follows_accept=False)
            engine._price.pace.taken(0.5, follows_accept=True)
        context = at(10)
        answer = await shown_at(engine, context)
        asked = len(model.requests)
        await asyncio.sleep(0.1)
        engine.changed(context.after_typing("#"))  # something else
        await asyncio.sleep(5)
        assert len(model.requests) == asked, "no timer of what is gone asks for anything"

        engine.changed(context)
        engine.shown(context, answer.suggestion)
        await asyncio.sleep(0.5)
        assert len(model.requests) == asked + 1
        engine.accepted(context, answer.suggestion)
        assert (await engine.complete(context.after_accept(answer.suggestion))).waited == 0


@virtual
async def test_all_counts_go_on_in_the_given_statistics() -> None:
    """As in the language server, whose statistics outlive its engines."""
    stats = EngineStats()
    engine = CompletionEngine(writer(), EngineConfig(policy=Policy.CHAIN), stats=stats)
    answer = await shown_at(engine, at(10))
    await asyncio.sleep(1)
    engine.accepted(at(10), answer.suggestion)
    assert (await engine.complete(at(10).after_accept(answer.suggestion))).waited == 0
    assert stats.speculative_tokens >= stats.speculative_used > 0 and stats.requests == 2
    await engine.close()


@virtual
async def test_a_miss_has_a_reason() -> None:
    async with engine_on(writer(), policy="depth1") as engine:
        context = at(10)
        first = await engine.complete(context)
        assert first.suggestion and first.miss is Miss.NOT_PREDICTED
        engine.shown(context, first.suggestion)
        await asyncio.sleep(0.01)
        after = context.after_accept(first.suggestion)
        assert (await engine.complete(after)).miss is Miss.NO_TIME
        engine.completion_cache.clear()
        await shown_at(engine, context)
        await asyncio.sleep(1)
        engine.completion_cache.clear()
        assert (await engine.complete(after)).miss is Miss.EVICTED
    async with engine_on(writer(), policy="cache") as engine:
        assert (await engine.complete(at(10))).miss is Miss.NOT_SPECULATED


# --- found by the simulator -------------------------------------------------------------------------------------


def test_the_first_bytes_of_a_character_are_not_cut_from_it() -> None:
    written = GeneratedText("aé", Finish.END, ends=(1, 1, 2), logprobs=(-1.0, -2.0, -4.0))
    assert written.after_typing("a") == GeneratedText("é", Finish.END, (0, 1), (-2.0, -4.0))


@virtual
async def test_a_rest_that_begins_with_trailing_spaces_is_not_served() -> None:
    model = ScriptedModel({"": "a  \nb", "a": "  \nb"})
    async with engine_on(model, policy="cache") as engine:
        assert (await engine.complete(EditContext(Document(URI, ""), 0))).suggestion
        answer = await engine.complete(EditContext(Document(URI, "a"), 1))
        assert answer.source is Source.MODEL and answer.suggestion and answer.suggestion.text == "  \nb"


def generation_at(context: EditContext) -> Generation:
    return Generation(PromptState.of(context, WindowSize(), "model"))


def test_half_a_character_is_generated_again_after_an_interruption() -> None:
    generation = generation_at(at(10))
    generation.become(State.RUNNING)
    for chunk in (Chunk("a", (1,), (-1.0,)), Chunk("", (2,), (-2.0,))):
        generation.feed(chunk)
    generation.interrupt()
    generation.become(State.RUNNING)
    for chunk in (Chunk("", (2,), (-2.0,)), Chunk("é", (3,), (-4.0,)), Chunk(finish=Finish.END)):
        generation.feed(chunk)
    assert generation.generated() == GeneratedText("aé", Finish.END, (1, 1, 2), (-1.0, -2.0, -4.0))


@virtual
async def test_a_model_that_cancels_itself_is_unavailable() -> None:
    """The client has not cancelled its request: its answer states that the model is gone."""

    def gives_up(request: GenerationRequest) -> str:
        raise asyncio.CancelledError

    async with engine_on(ScriptedModel(gives_up), policy="chain") as engine:
        assert (await engine.complete(at(10))).reason is Reason.UNAVAILABLE


@virtual
async def test_late_notifications_neither_start_nor_stop_work() -> None:
    """An editor's accept command may run after it has sent the change and the next request."""
    model = writer()
    async with engine_on(model, policy="chain") as engine:
        context = at(10)
        answer = await engine.complete(context)
        assert answer.suggestion
        beyond = context.after_accept(answer.suggestion).after_typing("\n    res")
        asked = asyncio.create_task(engine.complete(beyond))
        await asyncio.sleep(0.01)
        engine.shown(context, answer.suggestion)
        engine.accepted(context, answer.suggestion)
        late = await asked
        assert late.suggestion, "not superseded by the state that it has left behind"
        engine.closed(URI)
        engine.shown(beyond, late.suggestion)
        await asyncio.sleep(1)
        assert len(model.requests) == 2, "nothing is asked ahead of what is on no screen"


@virtual
async def test_a_generation_that_contradicts_typed_text_stops() -> None:
    model = ScriptedModel({"a": "bcdefgh" * 3, "aX": "yz"}, prefill_s=0.1, token_s=0.1)
    async with engine_on(model, policy="cache") as engine:
        first = asyncio.create_task(engine.complete(EditContext(Document(URI, "a"), 1)))
        await asyncio.sleep(0.05)
        assert (await engine.complete(EditContext(Document(URI, "aX"), 2))).source is Source.MODEL
        await first
        await asyncio.sleep(2)
        assert len(model.requests) == 2, "it is not resumed once its request has left it"
        again = asyncio.create_task(engine.complete(EditContext(Document(URI, "a"), 1)))
        await asyncio.sleep(0.05)
        engine.changed(EditContext(Document(URI, "aX"), 2))
        await asyncio.sleep(0.2)
        assert model.cancelled == 2 and model.running == 0, "nor does it continue where no request waits for it"
        await again


@virtual
async def test_without_a_completion_cache_a_cancelled_request_stops_its_generation() -> None:
    model = writer()
    async with engine_on(model, policy="none") as engine:
        asked = asyncio.create_task(engine.complete(at(10)))
        await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.sleep(0.01)
        assert model.running == 0, "no request could ever be answered with it"


@virtual
async def test_futures_excluded_by_typed_text_are_not_speculated() -> None:
    """Each answer makes the speculator look at the screen's futures again; the user may be past some of them."""
    model = writer()
    async with engine_on(model, policy="tree", depth=2) as engine:
        context = at(10)
        await shown_at(engine, context)
        engine.changed(at(12))  # types on as suggested: Enter alone would have to come first
        await asyncio.sleep(2)
        assert not [request for request in model.requests if request.prefix.startswith(TARGET[:10] + "\n")]


class Stubborn(ScriptedModel):
    """Overhears a cancellation while it decodes, and takes a while to clean up after the step."""

    cleaned_up = 0

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        try:
            for _ in range(20):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.1)
                self.decoded += 1
                yield Chunk("a", (1,), (-0.1,))
            yield Chunk(finish=Finish.END)
        finally:
            await asyncio.sleep(0.1)
            self.cleaned_up += 1


@virtual
async def test_a_model_that_ignores_a_cancellation_is_stopped_at_its_next_step() -> None:
    model = Stubborn({})
    async with engine_on(model, policy="chain") as engine:
        asked = asyncio.create_task(engine.complete(at(10)))
        await asyncio.sleep(0.15)
        engine.closed(URI)
        await asked
        await asyncio.sleep(1)
        assert model.decoded == 2 and model.cleaned_up == 1


@virtual
async def test_a_model_is_not_cancelled_again_while_it_cleans_up() -> None:
    model = Stubborn({})
    async with engine_on(model, policy="tree") as engine:
        engine.rested(at(10))
        await asyncio.sleep(0.15)
        other = asyncio.create_task(engine.complete(at(30, "file:///other.py")))  # interrupts it
        await asyncio.sleep(0.06)  # it cleans up
        engine.closed(URI)
        await asyncio.sleep(0.2)
        assert model.cleaned_up == 1
        await other


@virtual
async def test_a_changed_language_of_a_document_is_a_new_request() -> None:
    model = ScriptedModel(lambda request: f"# {request.language}")
    async with engine_on(model, policy="cache") as engine:
        for language in ("python", "ruby"):
            answer = await engine.complete(EditContext(Document(URI, "", language), 0))
            assert answer.suggestion and answer.suggestion.text == f"# {language}"


@virtual
async def test_nothing_starts_after_close() -> None:
    model = writer()
    async with engine_on(model, policy="chain") as engine:
        context = at(10)
        answer = await engine.complete(context)
        assert answer.suggestion
        await engine.close()
        engine.shown(context, answer.suggestion)
        assert (await engine.complete(at(20))).reason is Reason.CANCELLED
        await asyncio.sleep(1)
        assert len(model.requests) == 1


@virtual
async def test_each_future_of_a_shown_suggestion_is_requested_once() -> None:
    """Each answer drives the one before out of this completion cache, and has the speculator look again."""
    model = writer()
    async with engine_on(model, policy="chain", depth=2, cache_bytes=2000) as engine:
        context = at(10)
        await shown_at(engine, context)
        await asyncio.sleep(60)
        assert len(model.requests) == 3


@virtual
async def test_a_late_rejection_does_not_affect_later_requests() -> None:
    model = writer()
    async with engine_on(model, policy="depth1") as engine:
        context = at(10)
        answer = await shown_at(engine, context)
        after = context.after_accept(answer.suggestion)
        asked = asyncio.create_task(engine.complete(after))
        await asyncio.sleep(0.05)
        engine.rejected(context, answer.suggestion)
        second = await asked
        assert second.source is Source.JOINED and second.suggestion
        engine.shown(after, second.suggestion)
        engine.rejected(context, answer.suggestion)
        await asyncio.sleep(1)
        assert (await engine.complete(after.after_accept(second.suggestion))).source is Source.SPECULATED


@virtual
async def test_typing_on_does_not_lose_the_slot_to_another_document() -> None:
    model = writer()
    async with engine_on(model, policy="cache") as engine:
        first = asyncio.create_task(engine.complete(at(10)))
        await asyncio.sleep(0.05)
        other = asyncio.create_task(engine.complete(at(30, "file:///other.py")))
        await asyncio.sleep(0.01)
        joined = await engine.complete(at(11))
        assert joined.source is Source.JOINED and joined.waited == pytest.approx(0.1 + 0.01 * 2 - 0.06)
        assert model.cancelled == 0
        assert (await first).reason is Reason.SUPERSEDED and (await other).suggestion


@virtual
async def test_a_complete_answer_that_was_interrupted_is_not_requested_again() -> None:
    class SlowToEnd(ScriptedModel):
        async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
            self.requests.append(request)
            yield Chunk("a", (1,), (-0.1,))
            yield Chunk(finish=Finish.END)
            await asyncio.sleep(1)

    model = SlowToEnd({})
    async with engine_on(model, policy="tree") as engine:
        engine.rested(at(10))
        await asyncio.sleep(0.5)
        await engine.complete(at(30, "file:///other.py"))  # interrupts it
        assert (await engine.complete(at(10))).source is Source.SPECULATED
        assert len(model.requests) == 2


@virtual
async def test_a_request_waits_for_its_own_interrupted_generation_to_end() -> None:
    """It continues after its text, and is not started a second time, even where a slot is free."""
    model = SlowToLeave()
    engine = CompletionEngine(model, EngineConfig(policy=Policy.TREE), slots=2)
    engine.rested(at(10))
    await asyncio.sleep(0.115)  # one token of the speculation
    first, second = (asyncio.create_task(engine.complete(at(30, f"file:///{name}.py"))) for name in "ab")
    await asyncio.sleep(0)  # both are queued: the second interrupts the speculation
    await asyncio.sleep(0.001)
    first.cancel(), second.cancel()
    answer = await engine.complete(at(10))
    assert answer.source is Source.JOINED and answer.suggestion and answer.suggestion.text == "items):"
    assert [request.resume for request in model.requests if request.prefix == TARGET[:10]] == ["", "item"]
    assert answer.waited == pytest.approx(0.999 + 0.1 + 0.01), "the rest of the cleanup, a prompt, and what was left"
    await engine.close()


@virtual
async def test_a_slot_that_its_interrupted_generation_takes_back_is_not_free() -> None:
    """An interrupted generation that has become foreground takes the slot that it is leaving: another request needs
    another one, and is not kept waiting by a speculation there."""
    model = SlowToLeave(token=0.5)
    engine = CompletionEngine(model, EngineConfig(policy=Policy.TREE), slots=2)
    engine.rested(at(10, "file:///a.py"))
    engine.rested(at(30, "file:///b.py"))
    await asyncio.sleep(0.01)
    first = asyncio.create_task(engine.complete(at(40, "file:///c.py")))
    await asyncio.sleep(0.01)  # one of the two is interrupted
    joining = asyncio.create_task(engine.complete(at(10, "file:///a.py")))
    await asyncio.sleep(0.01)
    assert TARGET[:40] in {request.prefix for request in model.requests}, "it runs, although a slot is slow to be left"
    for task in (first, joining):
        task.cancel()
    await asyncio.gather(first, joining, return_exceptions=True)
    await engine.close()


@virtual
async def test_a_stopped_generation_that_has_not_ended_is_not_joined() -> None:
    """Else each request at its place would find that it has ended, and ask anew beside the one that is queued."""
    model = SlowToLeave()
    async with engine_on(model, policy="chain") as engine:
        gone = asyncio.create_task(engine.complete(at(10)))
        await asyncio.sleep(0.05)
        engine.changed(at(5))  # it cannot be reached from here
        await asyncio.sleep(0)
        waiting = asyncio.create_task(engine.complete(at(10)))
        await asyncio.sleep(0)
        answer = await engine.complete(at(11))
        assert answer.source is Source.JOINED and answer.suggestion and answer.suggestion.text == "tems):"
        assert [request.prefix for request in model.requests] == [TARGET[:10]] * 2, "the one stopped, and one more"
        assert (await gone).reason is (await waiting).reason is Reason.SUPERSEDED


@virtual
async def test_speculation_on_one_shown_suggestion_is_bounded() -> None:
    model = ScriptedModel(lambda request: "word\nword")
    async with engine_on(model, policy="tree", depth=16, max_lines=2) as engine:
        context = EditContext(Document(URI, ""), 0)
        await shown_at(engine, context)
        await asyncio.sleep(3600)
        assert len(model.requests) <= FUTURES + 1


@virtual
async def test_no_speculation_follows_a_rejected_suggestion() -> None:
    model = writer()
    async with engine_on(model, policy="chain", depth=3) as engine:
        context = at(10)
        answer = await engine.complete(context)
        assert answer.suggestion
        after = context.after_accept(answer.suggestion)
        second = await engine.complete(after)
        assert second.suggestion
        engine.rejected(after, second.suggestion)
        engine.changed(context)
        engine.shown(context, answer.suggestion)
        await asyncio.sleep(1)
        assert len(model.requests) == 2, "the one suggestion known behind the accept will not be offered"


def test_refusals_in_closed_documents_are_bounded() -> None:
    rejections = Rejections()
    for i in range(1000):
        rejections.closed(f"file:///{i}")
        rejections.add(at(10, f"file:///{i}"), Suggestion("x"))
    assert len(rejections._futures) <= 256
    assert (at(10, "file:///999"), Suggestion("x")) in rejections


@virtual
async def test_accepting_a_suggestion_that_replaces_a_closing_bracket_is_not_a_refusal() -> None:
    model = ScriptedModel({"f(": "x) + y", "f(x) + y": "z"})
    async with engine_on(model, policy="depth1") as engine:
        context = EditContext(Document(URI, "f()"), 2)
        answer = await engine.complete(context)
        assert answer.suggestion and answer.suggestion.replace_after == 1
        engine.shown(context, answer.suggestion)
        before = engine._speculator.acceptance.probability(Link(context, answer.suggestion))
        engine.changed(context.after_accept(answer.suggestion))  # the editor tells of the change first
        engine.accepted(context, answer.suggestion)
        assert engine._speculator.acceptance.probability(Link(context, answer.suggestion)) > before


def test_typing_half_a_line_end_is_not_a_type_through() -> None:
    whole, half, after = (
        PromptState.of(EditContext(Document(URI, text), len(text)), WindowSize(), "model").scope
        for text in ("x", "x\r", "x\r\n")
    )
    assert whole == after != half


def test_a_whole_answer_loses_nothing_when_it_is_interrupted() -> None:
    generation = generation_at(at(10))
    generation.become(State.RUNNING)
    for chunk in (Chunk("a", (1,), (-1.0,)), Chunk("", (2,), (-2.0,)), Chunk(finish=Finish.LENGTH)):
        generation.feed(chunk)
    generation.interrupt()
    assert generation.generated().ends == (1, 1)


@virtual
async def test_policy_adaptive_looks_deeper_only_for_users_faster_than_the_model() -> None:
    for pace, deep in ((0.05, True), (3.0, False)):
        model = ScriptedModel(continuing(TARGET), prefill_s=0.3, token_s=0.01, token_chars=100, logprob=-0.05)
        async with engine_on(model, policy="adaptive", economy=0.1) as engine:
            for _ in range(40):
                engine._price.pace.taken(1.0, follows_accept=False)
                engine._price.pace.taken(pace, follows_accept=True)
            await shown_at(engine, at(10))
            await asyncio.sleep(2)
            assert (len(model.requests) > 2) == deep


class Sharing(ScriptedModel):
    """Runs several generations on one processor, and keeps the keys and values of their prompts."""

    schedules = warm = True


@virtual
async def test_a_resting_cursor_computes_the_prompt_only() -> None:
    model = Sharing(continuing(TARGET), prefill_s=0.1, token_s=0.01)
    async with engine_on(model, policy="adaptive") as engine:
        engine.rested(at(10))
        engine.rested(at(10))
        await asyncio.sleep(1)
        assert [(request.beginnings, request.foreground) for request in model.requests] == [(1, False)]
        assert len(engine.completion_cache) == 0 and engine.stats.speculative_tokens == 0
        answer = await engine.complete(at(10))
        assert answer.source is Source.MODEL


@virtual
async def test_warming_up_stops_for_a_request_and_when_the_cursor_moves() -> None:
    for policy, economy in (("adaptive", 0.05), ("chain", 0.05)):
        model = Sharing(continuing(TARGET), prefill_s=0.1, token_s=0.01)
        async with engine_on(model, policy=policy, economy=economy) as engine:
            engine.rested(at(10))
            await asyncio.sleep(0.05)
            assert engine.in_flight == (0, 1)
            engine.rested(at(13))
            await asyncio.sleep(0.001)  # until the other one has left the model
            assert engine.in_flight == (0, 1)
            await asyncio.sleep(0.05)
            answer = await engine.complete(at(13))
            assert answer.source is Source.MODEL and answer.waited == pytest.approx(0.12, abs=0.011)
            assert engine.in_flight[0] == 0


@pytest.mark.parametrize("settings", [{"policy": "none"}, {"policy": "cache"}, {"economy": 0.5}])
def test_no_prompt_is_warmed_up_without_speculation_or_with_costly_work(settings: dict[str, object]) -> None:
    async def test() -> None:
        model = Sharing(continuing(TARGET))
        async with engine_on(model, **settings) as engine:
            engine.rested(at(10))
            await asyncio.sleep(1)
            assert not model.requests

    run_virtual(test())


@virtual
async def test_a_generation_that_no_request_waits_for_yields_to_a_request() -> None:
    """On one processor it would take its steps beside the request, and make each of them longer."""
    model = Sharing(continuing(TARGET), prefill_s=0.1, token_s=0.01)
    engine = CompletionEngine(model, EngineConfig().updated({"policy": "chain"}), slots=2)
    left = asyncio.create_task(engine.complete(at(10)))
    await asyncio.sleep(0.05)
    left.cancel()  # the client takes it back; it may still be of use
    await asyncio.sleep(0)
    assert [request.foreground for request in model.requests] == [True]
    other = await engine.complete(at(10, "file:///other.py"))
    assert other.suggestion
    await asyncio.sleep(1)
    asked = [(request.path, request.foreground) for request in model.requests]
    assert asked[:3] == [("total.py", True), ("total.py", False), ("other.py", True)] or asked[:3] == [
        ("total.py", True),
        ("other.py", True),
        ("total.py", False),
    ]
    assert (await engine.complete(at(10))).cached
    await engine.close()
