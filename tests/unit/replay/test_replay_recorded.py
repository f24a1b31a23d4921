"""The recorded assistant: its side file in the format of real data, and a model that repeats its answers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from tabspec.context import EditContext
from tabspec.errors import ModelNotUsable
from tabspec.models.protocol import GenerationRequest
from tabspec.prompt.window import WindowSize, window
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.recorded import AnswerKind, RecordedModel, recorded_answers
from tabspec.replay.sessions.session import EditEvent, Fetch, Fetched, FetchedItem, Selection, Session, Side
from tabspec.text import Document, Edit

LINE = "const 😀 = f("
TEXT = f"a\n{LINE})\nend\n"
AT = 2 + len(LINE)


def item(text: str, columns: tuple[int, int], line: int = 2) -> FetchedItem:
    return FetchedItem(f"[{line},{columns[0]} -> {line},{columns[1]}]", text, False, "who")


def session(*answers: tuple[int, Fetched], moves: tuple[Selection, ...] = ()) -> Session:
    """A line typed at its end: "x" (event 0), "y" (event 1), and one fetch (after event n) for each answer."""
    events = (EditEvent(1.0, (Edit(AT, 0, "x"),)), EditEvent(2.0, (Edit(AT + 1, 0, "y"),)))
    fetches = [part for after, got in answers for part in (Fetch(got.t - got.ms / 1000, after, got.id), got)]
    return Session(TEXT, events, side=Side((*moves, *fetches)), name="small")


def request(text: str, offset: int, **rest: str) -> GenerationRequest:
    seen = window(EditContext(Document("file:///a", text), offset), WindowSize())
    return GenerationRequest(seen.head, seen.forced, seen.suffix, **rest)  # type: ignore[arg-type]


def ask(model: RecordedModel, asked: GenerationRequest) -> tuple[str, float]:
    async def main() -> tuple[str, float]:
        async with aclosing(model.stream(asked)) as chunks:
            return "".join([chunk.text async for chunk in chunks]), asyncio.get_running_loop().time()

    return run_virtual(main())


COLUMNS = (1, len(LINE) + 2 + 1)  # up to behind "x": the emoji counts as two
AFTER_X = TEXT[:AT] + "x" + TEXT[AT:]


def test_the_line_is_cut_at_the_cursor_and_the_state_found_by_its_window() -> None:
    model = RecordedModel(session((0, Fetched(1.5, 1, 250, (item(LINE + "xyz)", COLUMNS),)))))
    assert ask(model, request(AFTER_X, AT + 1)) == ("yz)", 0.25)
    assert ask(model, request(AFTER_X, AT + 1, resume="y")) == ("z)", 0.25)
    assert model.knows(EditContext(Document("file:///a", AFTER_X), AT + 1))
    assert model.unknown == 0
    for text, offset in [(AFTER_X, AT), (TEXT, AT), (AFTER_X + "!", AT + 1), ("b" + AFTER_X, AT + 2)]:
        assert ask(model, request(text, offset)) == ("", 0.25)  # as long as the others take
    assert (model.asked, model.unknown, model.elsewhere) == (6, 4, 0)
    assert model.note.startswith("of 6 states asked for, the recorded assistant was never asked at 4,")


def test_a_given_latency_is_used() -> None:
    model = RecordedModel(session((0, Fetched(1.5, 1, 250, (item(LINE + "xyz)", COLUMNS),)))), latency_s=0.1)
    assert ask(model, request(AFTER_X, AT + 1)) == ("yz)", 0.1)


def test_answers_from_the_assistants_cache_do_not_count_for_latency() -> None:
    model = RecordedModel(
        session(
            (0, Fetched(1.5, 1, 6, (item(LINE + "xyz)", COLUMNS),))),
            (1, Fetched(2.5, 2, 400, (item(LINE + "xyz)", (1, COLUMNS[1] + 1)),))),
        )
    )
    assert ask(model, request(AFTER_X, AT + 1)) == ("yz)", 0.4)


@pytest.mark.parametrize(
    ("items", "error", "kind", "text"),
    [
        ((), None, AnswerKind.EMPTY, ""),
        ((item(LINE + "x + 1);", (1, COLUMNS[1] + 1)),), None, AnswerKind.SUGGESTED, " + 1);"),  # takes the ")" with it
        ((item(LINE + "x + 1)", (1, COLUMNS[1] + 1)),), None, AnswerKind.SUGGESTED, " + 1"),  # says it again
        ((item("let", (1, 6)),), None, AnswerKind.ELSEWHERE, ""),
        ((item("let", (1, 3), line=1),), None, AnswerKind.ELSEWHERE, ""),
        ((item(LINE + "xy", (1, 1), line=90),), None, AnswerKind.ELSEWHERE, ""),
        ((FetchedItem("somewhere", "x"),), None, AnswerKind.ELSEWHERE, ""),
        ((item("let", (1, 6)), item(LINE + "xy", COLUMNS)), None, AnswerKind.SUGGESTED, "y"),
        ((item(LINE + "xy", COLUMNS),), "canceled", AnswerKind.CANCELLED, "y"),
    ],
)
def test_kinds_of_answers(items: tuple[FetchedItem, ...], error: str | None, kind: AnswerKind, text: str) -> None:
    (answer,) = recorded_answers(session((0, Fetched(1.5, 1, 250, items, error))))
    assert (answer.kind, answer.text) == (kind, text)
    model = RecordedModel(session((0, Fetched(1.5, 1, 250, items, error))))
    assert ask(model, request(AFTER_X, AT + 1))[0] == text
    assert (model.unknown, model.elsewhere) == (0, kind is AnswerKind.ELSEWHERE)


def test_an_answer_that_replaces_more_than_closing_brackets_is_no_continuation() -> None:
    text = "foo(bar, baz)"
    side = Side((Selection(0.1, -1, ((4, 4),)), Fetch(0.2, -1, 1), Fetched(0.3, 1, 99, (item("foo(x)", (1, 14), 1),))))
    (answer,) = recorded_answers(Session(text, side=side))
    assert answer.kind is AnswerKind.ELSEWHERE


def test_the_best_of_several_answers_to_one_state() -> None:
    said = (item(LINE + "xy", COLUMNS),)
    model = RecordedModel(
        session(
            (0, Fetched(1.2, 1, 300, ())),
            (0, Fetched(1.3, 2, 100, said)),
            (0, Fetched(1.4, 3, 5, said)),
            (0, Fetched(1.5, 4, 700, said, "canceled")),
        )
    )
    assert ask(model, request(AFTER_X, AT + 1)) == ("y", 0.1)


def test_the_cursor_is_where_the_last_selection_put_it() -> None:
    moves = (Selection(0.5, -1, ((2, 2),)),)
    (answer,) = recorded_answers(session((-1, Fetched(0.9, 1, 99, (item("// ", (1, 1)),))), moves=moves))
    assert answer.context.offset == 2 and answer.text == "// "


def test_a_cancelled_request_is_unknown_and_a_recording_without_answers_an_error() -> None:
    with pytest.raises(ModelNotUsable, match="no assistant was recorded"):
        RecordedModel(session((0, Fetched(1.5, 1, 250, (), "canceled"))))
    with pytest.raises(ModelNotUsable, match="side file"):
        RecordedModel(Session("abc"))


def test_documents_with_two_character_line_ends() -> None:
    text = TEXT.replace("\n", "\r\n")
    side = Side(
        (Selection(0.1, -1, ((AT + 1, AT + 1),)), Fetch(0.2, -1, 1), Fetched(0.3, 1, 99, (item(LINE + "q", (1, 14)),)))
    )
    model = RecordedModel(Session(text, side=side))
    # the engine asks its models with \n alone
    assert ask(model, request(TEXT, AT))[0] == "q"
    assert model.knows(EditContext(Document("file:///a", text), AT + 1))
