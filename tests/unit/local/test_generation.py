"""Canonical generation, compared with an oracle without KV cache or drafts, and its own equalities."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.errors import ModelError
from tabspec.models.decoders.native import NativeDecoder
from tabspec.models.load import load_model
from tabspec.models.local import generation
from tabspec.models.local.drafts import Draft, NgramDrafts
from tabspec.models.local.generation import LocalDecoding, generate
from tabspec.models.local.logits import Logits
from tabspec.models.local.model import LocalModel
from tabspec.models.local.ngram_cache import FADE, FLOOR, LONGEST, RECENT, WEIGHTS, NgramCache
from tabspec.models.local.slots import RowCost, Slots
from tabspec.models.protocol import Beginning, Chunk, GenerationRequest, StopRule, Usage
from tabspec.prompt.window import canonical_cut
from tabspec.suggestion import Finish
from tests import tiny
from tests.examples import examples

KINDS = {
    "prefix first": (lambda: tiny.byte_level(tiny.QWEN), "qwen2"),
    "suffix first": (lambda: tiny.byte_level(tiny.OURS), "llama"),
    "sentencepiece": (tiny.sentencepiece, "llama"),
    "in four bits": (lambda: tiny.byte_level(tiny.OURS), "llama"),
}
# The fast tests have both orders of the prompt once, and both exact and stored weights.
EACH_KIND = [
    "prefix first",
    "in four bits",
    pytest.param("suffix first", marks=pytest.mark.slow),
    pytest.param("sentencepiece", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=EACH_KIND)
def local(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalDecoding:
    tokenizer, model_type = KINDS[request.param]
    folder = tiny.save_model(tmp_path_factory.mktemp("model"), tokenizer(), model_type)
    if request.param == "in four bits":
        return load(tiny.in_four_bits(folder), dtype=tiny.steady_dtype())
    return load(folder)


def load(folder: Path, decoder: str = "auto", dtype: str = "float32") -> LocalDecoding:
    """In float32, where sums do not depend on how many tokens are run at a time so much that another token wins."""
    model = load_model(str(folder), device="cpu", dtype=dtype, decoder=decoder)
    assert isinstance(model, LocalModel)
    return model.local


def fresh(local: LocalDecoding) -> LocalDecoding:
    """The same model with nothing in its KV slots."""
    return replace(local, slots=Slots(local.decoder))


LONG = StopRule(3, 24)


def around(document: str, at: int) -> tuple[str, str]:
    """Text before and behind the window that says the document again, and goes on otherwise: to be recalled."""
    return f"{document[:at]}foo(x) + 1\n{document[:at]}return 1{document}", f"\n{document[:at]}foo\n"


def ask(
    document: str, at: int, stop: StopRule = LONG, resume: str = "", beside: tuple[str, str] = ("", "")
) -> GenerationRequest:
    """The request that the window makes of a short document and a cursor."""
    cut, (before, after) = canonical_cut(document[:at]), beside
    return GenerationRequest(
        document[:cut], document[cut:at], document[at:], "a.py", before=before, after=after, stop=stop, resume=resume
    )


def answer(local: LocalDecoding, request: GenerationRequest) -> tuple[str, Finish, Usage]:
    async def run() -> tuple[str, Finish, Usage]:
        text, usage, last = "", Usage(), Chunk()
        async for last in generate(local, request):
            text += last.text
            usage += last.usage
        assert last.finish is not None
        return text, last.finish, usage

    return asyncio.run(run())


def recalled(
    local: LocalDecoding, request: GenerationRequest, head: str, tokens: list[int]
) -> tuple[float, list[int], dict[int, float]]:
    """The weight of what is recalled after ``tokens``, every token that came next at a longest match, and how much each
    token of the file counts."""
    encode, found, near = local.vocabulary.encode, dict[int, list[int]](), dict[int, float]()
    before = [token for text in (request.before, head) for token in encode(text)]
    after = [token for text in (request.suffix, request.after) for token in encode(text)]
    for file, distances in ((before, range(len(before), 0, -1)), (after, range(1, len(after) + 1))):
        for end, distance in enumerate(distances):
            length = 0
            while length < min(end, len(tokens), LONGEST) and file[end - 1 - length] == tokens[-1 - length]:
                length += 1
            found.setdefault(length, []).append(file[end])
            near[file[end]] = near.get(file[end], 0.0) + FLOOR + (1 - FLOOR) * math.exp(-distance / FADE)
    best = max(found, default=0)
    weight = max((weight for length, weight in WEIGHTS if length <= best), default=0.0)
    return weight, found.get(best, []) if best else [], near


def expected(local: LocalDecoding, request: GenerationRequest, head: str, tokens: list[int]) -> list[float]:
    """The logits after ``tokens``, with those of recall mixed in."""
    row = torch.from_numpy(local.decoder.forward(local.decoder.new_kv(), tokens, 1)[0, : local.vocabulary.size])
    weight, then, near = recalled(local, request, head, tokens)
    if local.ngram_caches and near:
        model = row.softmax(0)
        control = sorted(local.vocabulary.control)
        text = 1 - float(model[control].sum())
        row = model * (1 - weight) * (1 - RECENT)
        row[control] = model[control]
        for token in then:
            row[token] += weight * text / len(then)
        for token, share in near.items():
            row[token] += (1 - weight) * RECENT * text * share / sum(near.values())
        row = row.log()
    return list(row.tolist())


def oracle(local: LocalDecoding, request: GenerationRequest) -> str:
    """The rules of docs/design/decoding.md, as slowly and plainly as they can be written: no KV cache, no drafts, every
    token of the vocabulary looked at in each step."""
    vocabulary, stop = local.vocabulary, request.stop
    text, cursor = request.head + request.forced, len(request.head + request.forced)
    while True:
        cut = max(canonical_cut(text), len(request.head))
        head, known = text[:cut], text[cut:].encode()
        spent = len(vocabulary.encode(head[cursor:]))
        before = len(text[cut:cursor].encode())
        tokens, written = local.prompter.prompt(head, request), b""
        if stop.end(text[cursor:]) is not None or spent >= stop.max_tokens:
            return text[cursor:]
        while True:
            logits = expected(local, request, head, tokens)
            rest = known[len(written) :]

            def allowed(token: int, rest: bytes = rest) -> bool:
                data = vocabulary.bytes_of[token]
                return not rest or (bool(data) and (data.startswith(rest) or rest.startswith(data)))

            token = max(filter(allowed, range(vocabulary.size)), key=lambda t: (logits[t], -t))
            data = vocabulary.bytes_of[token]
            if not data:
                return text[cursor:]
            tokens.append(token)
            written += data
            spent += len(written) > before
            with contextlib.suppress(UnicodeDecodeError):
                assert known.decode().startswith(written.decode()) or written.startswith(known)
            if len(written) <= len(known):
                if written == known and spent >= stop.max_tokens:
                    return text[cursor:]
                continue
            characters = codecs.getincrementaldecoder("utf-8")()
            whole, broken = head, False
            for byte in written:
                try:
                    whole += characters.decode(bytes([byte]))
                except UnicodeDecodeError:
                    broken = True
                    break
            moved = [
                i + 1
                for i in range(len(text), len(whole))
                if whole[i] in "\r\n" and canonical_cut(whole[: i + 1]) > len(head)
            ]
            text = whole[: moved[0]] if moved else whole
            end = stop.end(text[cursor:])
            if end is not None:
                return text[cursor : cursor + end]
            if moved:
                break
            if broken or spent >= stop.max_tokens:
                return text[cursor:]


def begin(local: LocalDecoding, request: GenerationRequest, count: int = 8) -> tuple[list[Beginning], Usage]:
    """The ways to begin an answer to ``request``."""

    async def run() -> tuple[list[Beginning], Usage]:
        found: list[Beginning] = []
        usage, last = Usage(), Chunk()
        async for last in generate(local, replace(request, beginnings=count)):
            assert last.text == "" and not last.tokens
            found += last.beginnings
            usage += last.usage
        assert last.finish is not None
        return found, usage

    return asyncio.run(run())


def begin_oracle(local: LocalDecoding, request: GenerationRequest) -> dict[str, float]:
    """The same as plainly as it can be written: along the tokens that are chosen while nothing is said, and then every
    token of the vocabulary at the place where something is."""
    vocabulary, cut = local.vocabulary, canonical_cut(request.head + request.forced)
    text = request.head + request.forced
    tokens, rest = local.prompter.prompt(text[:cut], request), text[cut:].encode()
    while True:
        logits = expected(local, request, text[:cut], tokens)
        agree = [
            token
            for token in range(vocabulary.size)
            if not rest
            or (
                (data := vocabulary.bytes_of[token])
                and token not in vocabulary.control
                and (data.startswith(rest) or rest.startswith(data))
            )
        ]
        total = math.log(sum(math.exp(logits[token]) for token in agree))
        agree.sort(key=lambda token: (-logits[token], token))
        best = vocabulary.bytes_of[agree[0]]
        if not rest or len(best) > len(rest):
            break
        tokens, rest = [*tokens, agree[0]], rest[len(best) :]
    found: dict[str, float] = {}
    for token in agree:
        with contextlib.suppress(UnicodeDecodeError):
            said = "" if token in vocabulary.control else vocabulary.bytes_of[token][len(rest) :].decode()
            if said:
                found.setdefault(said, logits[token] - total)
    return found


PIECES = st.sampled_from(
    [
        "def ",
        "foo",
        "(x",
        "):\n",
        "    ",
        "\n",
        "\n\n",
        "return",
        " + ",
        "1",
        "\t",
        "\r",
        "é",
        "🎉",
        "你好",
        "  \n",
        '"',
        "#",
        "<|eom|>",
        "}",
    ]
)
DOCUMENTS = st.lists(PIECES, max_size=14).map("".join)


@st.composite
def places(draw: st.DrawFn) -> tuple[str, int]:
    document = draw(DOCUMENTS)
    return document, draw(st.integers(0, len(document)))


QUICK = settings(max_examples=examples(20), deadline=None)


@settings(max_examples=examples(15), deadline=None)
@given(place=places())
def test_an_answer_equals_the_reference_implementation(local: LocalDecoding, place: tuple[str, int]) -> None:
    request = ask(*place, stop=StopRule(3, 8), beside=around(*place))
    assert answer(fresh(local), request)[0] == oracle(local, request)


@QUICK
@given(place=places(), data=st.data())
def test_typing_a_part_of_a_suggestion_gives_the_rest(
    local: LocalDecoding, place: tuple[str, int], data: st.DataObject
) -> None:
    document, at = place
    text, finish, _ = answer(fresh(local), ask(document, at, beside=around(document, at)))
    typed = data.draw(st.integers(0, len(text)))
    then = document[:at] + text[:typed] + document[at:]
    longer, later, _ = answer(fresh(local), ask(then, at + typed, beside=around(document, at)))
    if finish in (Finish.LENGTH, Finish.STOP):  # the later request has a budget of its own
        assert longer.startswith(text[typed:]) or text[typed:].startswith(longer)
        assert longer.startswith(text[typed:]) or later is Finish.STOP
    else:
        assert longer == text[typed:] or later in (Finish.STOP, Finish.LENGTH)


@QUICK
@given(walk=st.lists(places(), min_size=2, max_size=6))
def test_answers_do_not_depend_on_the_kv_slots(local: LocalDecoding, walk: list[tuple[str, int]]) -> None:
    warm = fresh(local)
    for place in walk:
        request = ask(*place, beside=around(*place))
        assert answer(warm, request)[:2] == answer(fresh(local), request)[:2]


@QUICK
@given(place=places(), data=st.data())
def test_answers_do_not_depend_on_recall_of_other_texts(
    local: LocalDecoding, place: tuple[str, int], data: st.DataObject
) -> None:
    """The same prompt again, when something else in the file has changed meanwhile."""
    warm, texts = fresh(local), [around(*place), around(*place)[::-1], ("", "")]
    for beside in data.draw(st.lists(st.sampled_from(texts), min_size=2, max_size=4)):
        request = ask(*place, beside=beside)
        assert answer(warm, request)[:2] == answer(fresh(local), request)[:2]


def test_recall_changes_answers_in_these_tests(local: LocalDecoding) -> None:
    """What is tested above would hold of answers that recall never changes."""
    changed = 0
    for at in range(40, 140, 5):
        request = ask(tiny.CODE[:at], at, beside=around(tiny.CODE[:at], at))
        changed += answer(fresh(local), request)[0] != answer(replace(fresh(local), ngram_caches=None), request)[0]
    assert changed >= 2 or local.ngram_caches is None


@settings(max_examples=examples(6), deadline=None)  # each goes through all places of a document, twice
@given(document=DOCUMENTS)
def test_typing_in_one_document_with_a_warm_cache_changes_no_answer(local: LocalDecoding, document: str) -> None:
    warm = fresh(local)
    for at in [*range(len(document) + 1), *range(len(document), -1, -3)]:
        request = replace(ask(document[:at], at, beside=around(document, len(document))), suffix="\n# end")
        assert answer(warm, request)[:2] == answer(fresh(local), request)[:2]


@QUICK
@given(place=places(), data=st.data())
def test_a_resumed_answer_equals_an_uninterrupted_one(
    local: LocalDecoding, place: tuple[str, int], data: st.DataObject
) -> None:
    text, finish, _ = answer(fresh(local), ask(*place))
    done = data.draw(st.integers(0, len(text)))
    rest, later, _ = answer(fresh(local), ask(*place, resume=text[:done]))
    assert rest == text[done:]
    assert later == finish


@QUICK
@given(place=places(), chunk=st.integers(1, 9))
def test_prefill_in_chunks_equals_prefill_at_once(local: LocalDecoding, place: tuple[str, int], chunk: int) -> None:
    request = ask(*place)
    assert answer(replace(fresh(local), chunk=chunk), request)[:2] == answer(fresh(local), request)[:2]


@QUICK
@given(place=places(), data=st.data())
def test_drafts_change_no_answer(local: LocalDecoding, place: tuple[str, int], data: st.DataObject) -> None:
    """Right, wrong and half right drafts."""
    request = ask(*place)
    text, finish, _ = answer(replace(fresh(local), drafts=tiny.NoDrafts()), request)
    guess = local.vocabulary.encode(text) + data.draw(st.lists(st.integers(0, local.vocabulary.size - 1), max_size=3))

    class Guesses(tiny.NoDrafts):
        def propose(self, tokens: Sequence[int], most: int, ngrams: NgramCache | None = None) -> Draft:
            return Draft(tuple(guess[: data.draw(st.integers(0, min(most, len(guess))))]))

    eager = NgramDrafts(cost=RowCost(0.0, 9))
    assert answer(replace(fresh(local), drafts=Guesses()), request)[:2] == (text, finish)
    assert answer(replace(fresh(local), drafts=eager), request)[:2] == (text, finish)


class OraclePredictor(tiny.NoDrafts):
    """Guesses what was chosen before after the same tokens, also by another request."""

    def __init__(self) -> None:
        self._last: list[int] = []
        self._then: dict[tuple[int, ...], int] = {}

    def propose(self, tokens: Sequence[int], most: int, ngrams: NgramCache | None = None) -> Draft:
        if list(tokens[:-1]) == self._last:
            self._then[tuple(self._last)] = tokens[-1]
        self._last, found = list(tokens), list(tokens)
        while len(found) < len(tokens) + most and (then := self._then.get(tuple(found))) is not None:
            found.append(then)
        return Draft(tuple(found[len(tokens) :]))


def accepted_lines(local: LocalDecoding, document: str, at: int, keep: bool = True) -> tuple[list[str], int]:
    """Three suggestions of a line, each accepted, and the passes that they took. Without ``keep``, what was run beyond
    the end of one is lost before the next."""
    decoder = tiny.Counting(local.decoder)
    warm, texts = replace(local, decoder=decoder, slots=Slots(decoder)), list[str]()
    for _ in range(3):
        texts.append(answer(warm, ask(document, at, StopRule(1, 24)))[0])
        document, at = document[:at] + texts[-1] + document[at:], at + len(texts[-1])
        for slot in () if keep else warm.slots.all():
            slot.truncate(decoder, len(slot.tokens) - slot.ahead)
    return texts, decoder.passes


@pytest.fixture(scope="module")
def bundled() -> LocalDecoding:
    """A model that knows where lines end. With the compiled decoder, or in float32: in torch's shorter numbers, two
    tokens that are about equally likely change places with how tokens are grouped into passes."""
    model = load_model(device="cpu")
    assert isinstance(model, LocalModel)
    if not isinstance(model.local.decoder, NativeDecoder):
        model = load_model(device="cpu", dtype="float32")
        assert isinstance(model, LocalModel)
    return model.local


@pytest.mark.slow
def test_guesses_after_the_end_are_not_computed_again(bundled: LocalDecoding) -> None:
    kept = lost = 0
    for at in range(20, len(tiny.CODE), 74):
        foreseen = replace(bundled, drafts=OraclePredictor())
        texts, _ = accepted_lines(foreseen, tiny.CODE, at)
        again, passes = accepted_lines(foreseen, tiny.CODE, at)
        kept += passes
        without, passes = accepted_lines(foreseen, tiny.CODE, at, keep=False)
        lost += passes
        assert texts == again == without
    assert kept < lost


@pytest.mark.slow
def test_the_token_that_moved_the_cut_is_not_computed_again(
    bundled: LocalDecoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the line's own tokens are others than those that were chosen, a pass runs them and the line's end."""
    undrafted, at = replace(bundled, drafts=tiny.NoDrafts()), range(339, 390, 11)  # within words
    found = [accepted_lines(undrafted, tiny.CODE, place) for place in at]
    start = generation.Segment.start
    monkeypatch.setattr(generation.Segment, "start", lambda *given: start(*given[:3]))
    without = [accepted_lines(undrafted, tiny.CODE, place) for place in at]
    assert [texts for texts, _ in found] == [texts for texts, _ in without]
    assert sum(passes for _, passes in found) < sum(passes for _, passes in without)


@QUICK
@given(place=places(), data=st.data())
def test_guesses_after_the_end_change_no_answer(
    local: LocalDecoding, place: tuple[str, int], data: st.DataObject
) -> None:
    """Right, wrong and half right guesses; the suggestion is accepted, or something else is typed."""
    document, at = place
    tokens = local.vocabulary.encode(document) or [0]
    guess = st.lists(st.sampled_from(tokens) | st.integers(0, local.vocabulary.size - 1), max_size=5)

    class Guesses(tiny.NoDrafts):
        def propose(self, tokens: Sequence[int], most: int, ngrams: NgramCache | None = None) -> Draft:
            return Draft(tuple(data.draw(guess)[:most]))

    warm = replace(fresh(local), drafts=Guesses())
    for _ in range(3):
        request = ask(document, at, StopRule(1, 12))
        text = answer(warm, request)[0]
        assert text == answer(replace(fresh(local), drafts=tiny.NoDrafts()), request)[0]
        written = data.draw(st.sampled_from([text, text[:-1], "\n", "\n    ", "x"]))
        document, at = document[:at] + written + document[at:], at + len(written)


@settings(max_examples=examples(15), deadline=None)
@given(walk=st.lists(places(), min_size=1, max_size=3))
def test_first_tokens_are_the_likeliest_visible_ones(local: LocalDecoding, walk: list[tuple[str, int]]) -> None:
    """Whatever is in the KV slots; and asking for them changes no answer."""
    warm = fresh(local)
    for place in walk:
        request = ask(*place, beside=around(*place))
        before = answer(warm, request)[:2]
        found, usage = begin(warm, request)
        likely = begin_oracle(local, request)
        assert [each.logprob for each in found] == pytest.approx(list(likely.values())[:8], abs=1e-3)
        assert {each.text: each.logprob for each in found} == pytest.approx(
            {each.text: likely[each.text] for each in found}, abs=1e-3
        )
        assert usage.decoded == 0
        assert answer(warm, request)[:2] == before == answer(fresh(local), request)[:2]


def test_first_tokens_from_a_warm_slot_cost_one_step(local: LocalDecoding) -> None:
    document, warm = tiny.CODE, fresh(local)
    request = ask(document, document.index("ello {name}"), StopRule(1, 6))
    answer(warm, request)
    _, usage = begin(warm, request)
    assert usage.prefill <= 2
    again, anew = begin(warm, request)[0], begin(fresh(local), request)[0]
    assert [each.text for each in again] == [each.text for each in anew]
    # in float32, sums differ in the last bits with the number of tokens that are run at a time
    assert [each.logprob for each in again] == pytest.approx([each.logprob for each in anew], abs=1e-5)


def test_reuse_is_counted(local: LocalDecoding) -> None:
    document, warm = tiny.CODE, fresh(local)
    at = document.index("ello {name}")  # behind a half-written word
    request = ask(document, at, StopRule(1, 6))
    prompt = len(local.prompter.prompt(request.head, request))
    _, _, first = answer(warm, request)
    _, _, again = answer(warm, request)
    assert first.prefill + first.reused >= prompt
    assert again.prefill <= 2  # the token whose logits were lost, run again
    assert again.decoded <= 1
    assert again.reused >= prompt - 1


def test_a_cancel_stops_before_the_next_pass(local: LocalDecoding) -> None:
    counting = tiny.Counting(local.decoder)
    watched = replace(local, decoder=counting, slots=Slots(counting), chunk=16)
    request = ask(tiny.CODE, 300, StopRule(30, 40))

    async def read(stream: AsyncGenerator[Chunk, None]) -> None:
        async for _ in stream:
            pass

    async def run(turns: int) -> None:
        task = asyncio.create_task(read(generate(watched, request)))
        for _ in range(turns):
            await asyncio.sleep(0)
        seen = counting.passes
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert counting.passes == seen
        assert not any(slot.busy for slot in watched.slots.all())

    for turns in (1, 2, 3, 8, 20):
        asyncio.run(run(turns))
    # What an interrupted stream leaves in its slot is as good as any.
    assert answer(watched, request)[:2] == answer(fresh(local), request)[:2]


def test_interleaved_streams_do_not_mix(local: LocalDecoding) -> None:
    requests = [ask(tiny.CODE, at) for at in (120, 121, 260, 300)]
    expected = [answer(fresh(local), request)[0] for request in requests]

    async def read(shared: LocalDecoding, request: GenerationRequest) -> str:
        return "".join([chunk.text async for chunk in generate(shared, request)])

    async def run() -> list[str]:
        shared = fresh(local)
        return list(await asyncio.gather(*(read(shared, request) for request in requests)))

    assert asyncio.run(run()) == expected


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_token_budget(local: LocalDecoding, limit: int) -> None:
    for at in range(0, len(tiny.CODE), 23):
        text, finish, usage = answer(fresh(local), ask(tiny.CODE, at, StopRule(50, limit)))
        # a token that is cut behind its line end is chosen anew, and then counted as the text that it is
        assert usage.decoded <= limit + text.count("\n")
        assert finish is not Finish.LENGTH or usage.decoded >= 1


def test_confidence(local: LocalDecoding) -> None:
    text, finish, _ = answer(
        fresh(local), ask(tiny.CODE, 200, StopRule(9, 9, min_logprob=-1e-9, min_first_logprob=-1e-9))
    )
    assert (text, finish) == ("", Finish.CONFIDENCE)


def test_a_head_that_is_too_long_loses_its_beginning(local: LocalDecoding) -> None:
    document = tiny.CODE * 12
    request = ask(document, len(document))
    prompt = local.prompter.prompt(request.head, request)
    assert len(prompt) <= local.prompter.budget < len(local.vocabulary.encode(request.head))
    assert answer(fresh(local), request)[:2] == answer(fresh(local), request)[:2]


def test_a_line_longer_than_the_context_ends(local: LocalDecoding) -> None:
    line = "\n" + "é你" * 600
    text, finish, _ = answer(fresh(local), GenerationRequest("x = 1", line, "", stop=StopRule(3, 9)))
    assert (text, finish) == ("", Finish.LENGTH)


def test_lone_surrogates_are_accepted(local: LocalDecoding) -> None:
    answer(fresh(local), GenerationRequest("a\ud800", "\nb\udc00", "\ud83d", stop=StopRule(1, 4)))


def test_nan_logits_are_an_error(local: LocalDecoding) -> None:
    class Broken:
        context = local.decoder.context
        new_kv, truncate, copy = local.decoder.new_kv, local.decoder.truncate, local.decoder.copy

        def forward(self, kv: object, tokens: list[int], want: int) -> Logits:
            return np.full((want, local.vocabulary.size), np.nan, np.float32)

    broken = Broken()
    with pytest.raises(ModelError, match="not a number"):
        answer(replace(local, decoder=broken, slots=Slots(broken)), ask(tiny.CODE, 50))


def test_no_pass_after_the_stop(local: LocalDecoding) -> None:
    """The token that brings the line end is the last one that is computed, and it is never run itself."""
    for at in range(10, len(tiny.CODE), 31):
        warm = replace(fresh(local), drafts=tiny.NoDrafts())  # a guess that is right stays in the slot
        text, finish, usage = answer(warm, ask(tiny.CODE, at, StopRule(1, 30)))
        if finish is Finish.STOP:
            assert "\n" not in text.strip("\r\n")
            held = max(len(slot.tokens) for slot in warm.slots.all())
            assert held <= usage.prefill + usage.reused + usage.decoded


def test_models_of_different_seeds_answer_differently(tmp_path: Path) -> None:
    """The tiny models differ by seed, and their answers too: the equations above are not about empty strings."""
    texts = set()
    for seed in range(3):
        folder = tiny.save_model(tmp_path / str(seed), tiny.byte_level(tiny.OURS), seed=seed)
        local = load(folder)
        texts.add(answer(local, ask(tiny.CODE, 120))[0])
    assert len(texts) == 3


@pytest.mark.parametrize("kind", EACH_KIND)
def test_both_decoders_answer_the_same(kind: str, tmp_path: Path) -> None:
    tokenizer, model_type = KINDS[kind]
    folder = tiny.save_model(tmp_path, tokenizer(), model_type)
    own, theirs = load(folder, "own"), load(folder, "transformers")
    places = [*range(0, 200, 9), *range(200, 0, -13)]  # forwards and backwards: with truncated KV caches
    for at in places[:: len(places) // examples(len(places))]:
        assert answer(own, ask(tiny.CODE, at))[:2] == answer(theirs, ask(tiny.CODE, at))[:2]
