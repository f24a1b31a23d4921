"""Which part of a text is offered: the one that is likely right and saves the most, against a slow search."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.fitting.postprocess import COST_OF_WRONG, UNKNOWN_WORD, likely_part, postprocess
from tabspec.fitting.truncation import FitPlace, FitStep
from tabspec.suggestion import Finish, GeneratedText, Reason, Suggestion
from tabspec.text import Document
from tests.examples import examples

EVERY = frozenset(FitStep)
LINE = "total = price * count\nname = total"


def at(text: str, rest: str = "") -> EditContext:
    return EditContext(Document("file:///a.py", text + rest, "python"), len(text))


def written(*tokens: tuple[str, float], finish: Finish = Finish.STOP) -> GeneratedText:
    """A text of tokens, each with its probability."""
    text, ends = "", list[int]()
    for token, _ in tokens:
        text += token
        ends.append(len(text))
    return GeneratedText(text, finish, tuple(ends), tuple(math.log(p) for _, p in tokens))


def offered(generated: GeneratedText, before: str = LINE, least: float = 0.1) -> str | None:
    found = postprocess(at(before), generated, least=least)
    return found.text if isinstance(found, Suggestion) else None


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([(" *", 0.9), (" count", 0.9)], " * count"),
        ([(" *", 0.9), (" count", 0.9), (" +", 0.5), (" price", 0.3)], " * count"),  # the rest is likely wrong
        ([(" *", 0.9), (" count", 0.9), (" +", 0.9), (" price", 0.9)], " * count + price"),
        ([(" *", 0.9), (" cou", 0.9), ("nter", 0.2)], " * counter"),  # no part ends within a word
        ([(" *", 0.9), (" count", 0.9), ("_all", 0.5)], " * count"),  # but where the document has it
        ([(" *", 0.3), (" count", 0.3)], None),  # together less likely than 0.1
    ],
)
def test_a_text_ends_where_it_saves_the_most(tokens: list[tuple[str, float]], expected: str | None) -> None:
    assert offered(written(*tokens)) == expected


def test_what_is_too_unlikely_is_withheld() -> None:
    unlikely = written((" *", 0.4), (" count", 0.4))
    assert postprocess(at(LINE), unlikely, least=0.2) is Reason.WITHHELD
    suggestion = postprocess(at(LINE), unlikely, least=0.1)
    assert isinstance(suggestion, Suggestion) and suggestion.logprob == pytest.approx(math.log(0.16))


def test_a_blank_at_the_end_that_joins_the_next_word_is_no_shorter_part() -> None:
    context = EditContext(Document("file:///a.java", "public class A {}", "java"), len("public "))
    suggestion = postprocess(context, written(("static", 0.9), (" final", 0.9), (" ", 0.5), finish=Finish.END))
    assert isinstance(suggestion, Suggestion) and suggestion.text == "static final "


def test_a_part_has_its_own_probability() -> None:
    suggestion = postprocess(at(LINE), written((" *", 0.9), (" count", 0.8), (" +", 0.5), (" price", 0.3)))
    assert isinstance(suggestion, Suggestion) and suggestion.finish is Finish.CONFIDENCE
    assert suggestion.probability == pytest.approx(0.72)


@pytest.mark.parametrize("logprobs", [(), (-9.0,)])
def test_a_text_without_the_log_probability_of_each_token_is_offered_as_a_whole(logprobs: tuple[float, ...]) -> None:
    generated = GeneratedText(" * count", Finish.STOP, (2, 8), logprobs)
    assert likely_part(FitPlace(at(LINE)), generated, 0.9) is generated
    assert offered(generated, least=0.9) == " * count"


def test_without_the_step_a_text_is_offered_as_a_whole() -> None:
    generated = written((" *", 0.9), (" count", 0.9), (" +", 0.5), (" price", 0.3))
    assert likely_part(FitPlace(at(LINE), EVERY - {FitStep.ENDS}), generated, 0.9) is generated


TOKENS = st.lists(
    st.tuples(
        st.sampled_from([" ", "a", "b1", " count", "_x", "(", ")", '"', " +", " =", ".", "\n", "    ", "é", ""]),
        st.sampled_from([1.0, 0.95, 0.9, 0.7, 0.5, 0.2, 0.01]),
    ),
    min_size=1,
    max_size=9,
)
BEFORE = st.sampled_from(["", LINE, 'x = "', "count(", "# count"])
FINISH = st.sampled_from([Finish.END, Finish.STOP, Finish.LENGTH, Finish.CONFIDENCE, Finish.MID_WORD])


def best_part(context: EditContext, generated: GeneratedText) -> tuple[float, float, str]:
    """The value, the probability and the text of the best part, by trying each place of the text. For texts that other
    steps do not cut."""
    tokens = list(zip((0, *generated.ends[:-1]), generated.ends, generated.logprobs, strict=True))
    text = generated.text
    found = []
    for size in range(1, len(text) + 1):
        places = [end for _, end, _ in tokens if end < len(text)]
        ways = [
            FitPlace(context).ending.whole(text[:end], Finish.doubt(text[:end], text[end:]) is Finish.MID_WORD)
            for end in places
        ]
        if generated.finish in (Finish.END, Finish.STOP):
            ways.append(text)
        else:
            ways.append(FitPlace(context).ending.whole(text, generated.finish is Finish.MID_WORD))
        if text[:size] not in ways or not text[:size].strip():
            continue
        if size == len(ways[-1].rstrip()) < len(ways[-1]):
            continue  # the text's own end without its last blanks
        count = next(number for number, (_, end, _) in enumerate(tokens, 1) if end >= size)
        probability = math.exp(sum(logprob for _, _, logprob in tokens[:count]))
        found.append((probability * (len(text[:size].strip()) + COST_OF_WRONG), probability, text[:size]))
    return max(found, default=(0.0, 0.0, ""))


@settings(max_examples=examples(300), deadline=None)
@given(BEFORE, TOKENS, FINISH)
def test_the_part_is_the_best_of_all(before: str, tokens: list[tuple[str, float]], finish: Finish) -> None:
    context, generated = at(before), written(*tokens, finish=finish)
    steps = frozenset({FitStep.ENDS})  # other cuts are not this search's
    _, probability, text = best_part(context, generated)
    part = likely_part(FitPlace(context, steps), generated, 0.0)
    assert part is not None
    if not text:
        assert part is generated
        return
    kept = generated.text if part is generated else part.text
    same = (
        FitPlace(context).ending.whole(kept, finish is Finish.MID_WORD)
        if finish in (Finish.CONFIDENCE, Finish.MID_WORD, Finish.LENGTH)
        else kept
    )
    ends = {text, same if part is generated else kept}
    values = {
        (math.exp(min(each.logprob, 0)) * (len(each.text.strip()) + COST_OF_WRONG))
        for each in (generated.stopped_at(len(end)) for end in ends)
    }
    assert len({round(each, 9) for each in values}) == 1, "another part may only be as good"
    if FitPlace(context).ending.completes_unknown_word(text):
        probability **= UNKNOWN_WORD
    for least in (0.1, 0.5):
        if math.isclose(probability, least):
            continue  # which of both is larger depends on the order in which the factors are multiplied
        assert (likely_part(FitPlace(context, steps), generated, least) is None) == (probability < least)


@settings(max_examples=examples(300), deadline=None)
@given(BEFORE, TOKENS, FINISH, st.sampled_from([0.0, 0.1, 0.3]), st.floats(0, 1))
def test_typing_on_gives_what_would_be_computed_anew(
    before: str, tokens: list[tuple[str, float]], finish: Finish, least: float, raised: float
) -> None:
    """After a part of the text is typed, a new generation writes the rest with the same tokens, the first of them at
    least as likely. If the rest is offered, so is the same part of it then; and a rest is only refused if its first
    token is as likely as it will ever be, or `begun` is set."""
    generated = written(*tokens, finish=finish)
    for size in range(1, len(generated.text)):
        typed = generated.text[:size]
        rest = generated.after_typing(typed)
        if rest is None or not rest.logprobs:
            continue
        assert rest.begun == (size not in generated.ends)
        anew = replace(rest, logprobs=(rest.logprobs[0] * raised, *rest.logprobs[1:]), begun=False)
        anew = anew if rest.begun else replace(rest, begun=False)
        context = at(before + typed)
        served, fresh = likely_part(FitPlace(context), rest, least), likely_part(FitPlace(context), anew, least)
        if served is not None:
            assert fresh is not None and (fresh.text, fresh.finish) == (served.text, served.finish)
        elif not rest.begun:
            assert fresh is None


@settings(max_examples=examples(200), deadline=None)
@given(BEFORE, TOKENS, FINISH)
def test_line_ends_change_nothing(before: str, tokens: list[tuple[str, float]], finish: Finish) -> None:
    generated = written(*tokens, finish=finish)
    crlf = written(*((token.replace("\n", "\r\n"), p) for token, p in tokens), finish=finish)
    plain, windows = at("a\n" + before), at("a\r\n" + before.replace("\n", "\r\n"))
    one, other = postprocess(plain, generated, least=0.1), postprocess(windows, crlf, least=0.1)
    if isinstance(one, Suggestion) and isinstance(other, Suggestion):
        assert one.text.replace("\n", "\r\n") == other.text and one.probability == pytest.approx(other.probability)
    else:
        assert one is other
