"""The server's text equals the client's, whatever is typed; where this is uncertain, nothing is suggested."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsp_client import URI
from tabspec_lsp.state.documents import ContentChange, Documents, TextRange
from texts import PIECES, position, random_change
from wire_messages import text_agrees, wire

from tabspec.text import Document, Position, PositionEncoding
from tests.lsp.conftest import Start


def change(start: tuple[int, int], end: tuple[int, int], text: str) -> ContentChange:
    return ContentChange(text, TextRange(Position(*start), Position(*end)))


def opened(text: str = "one\ntwo\n") -> Documents:
    documents = Documents()
    documents.open(Document(URI, text, version=1))
    return documents


@pytest.mark.slow
async def test_ten_thousand_random_changes_with_emoji_and_crlf(start: Start) -> None:
    rng = random.Random(2026)
    client = await start()
    text = "first line\r\nsecond 😀 line\n"
    client.open(text)
    version = 1
    for done in range(10_000):
        version += 1
        made, text = random_change(text, rng)
        client.change(version, made)
        if done % 500 == 0:
            assert await text_agrees(client, text), done
    assert await text_agrees(client, text)
    assert not await text_agrees(client, text + "x")  # or the digests would say nothing
    assert (await client.status())["out_of_step"] == []


@given(st.text(alphabet=st.sampled_from("".join(PIECES)), max_size=60), st.randoms(use_true_random=False))
def test_each_change_equals_a_second_computation(text: str, rng: random.Random) -> None:
    documents = opened(text)
    for version in range(2, 12):
        made, text = random_change(text, rng)
        where = made.get("range")
        span = where and TextRange(Position(**where["start"]), Position(**where["end"]))
        changed = documents.change(URI, version, [ContentChange(made["text"], span)])
        assert changed is not None
        assert changed.after.text == text
        assert changed.after.version == version
        document = documents.get(URI)
        assert document
        assert document.line_starts == Document(URI, text).line_starts
        replayed = changed.before.text
        for edit in changed.edits:
            replayed = edit.apply(replayed)
        assert replayed == text


@pytest.mark.parametrize("encoding", list(PositionEncoding))
def test_each_encoding(encoding: PositionEncoding) -> None:
    documents = opened("a😀b\n")
    documents.encoding = encoding
    at = 1 + encoding.width("😀")
    changed = documents.change(URI, 2, [change((0, at), (0, at), "X")])
    assert changed
    assert changed.after.text == "a😀Xb\n"


def test_changes_of_one_message_build_on_each_other() -> None:
    changed = opened("abc").change(URI, 2, [change((0, 0), (0, 1), ""), change((0, 0), (0, 1), "X")])
    assert changed
    assert changed.after.text == "Xc"
    assert [(edit.offset, edit.delete, edit.insert) for edit in changed.edits] == [(0, 1, ""), (0, 1, "X")]


def test_an_end_after_the_document_is_its_end() -> None:
    changed = opened().change(URI, 2, [change((0, 0), (99_999, 0), "new")])
    assert changed
    assert changed.after.text == "new"


def test_a_character_after_its_line_is_the_end_of_the_line() -> None:
    changed = opened().change(URI, 2, [change((0, 99), (0, 99), "!")])
    assert changed
    assert changed.after.text == "one!\ntwo\n"


@pytest.mark.parametrize(
    "wrong",
    [
        (2, change((9, 0), (9, 0), "x")),  # starts outside
        (2, change((1, 0), (0, 0), "x")),  # ends before it starts
        (2, change((0, 2), (0, 1), "x")),
        (1, change((0, 0), (0, 0), "x")),  # the version it has already
        (0, change((0, 0), (0, 0), "x")),
        (-5, ContentChange("whole")),
    ],
)
def test_an_invalid_change_makes_a_document_unknown_until_its_whole_text_is_sent(
    wrong: tuple[int, ContentChange],
) -> None:
    documents = opened()
    version, made = wrong
    assert documents.change(URI, version, [made]) is None
    assert documents.get(URI) is None
    assert documents.out_of_step == [URI]
    assert documents.change(URI, 10, [change((0, 0), (0, 0), "more")]) is None
    assert documents.get(URI) is None
    changed = documents.change(URI, 11, [ContentChange("known again")])
    assert changed
    assert documents.get(URI) == changed.after
    assert changed.after.text == "known again"


def test_one_invalid_change_rejects_the_whole_message() -> None:
    documents = opened()
    wrong = [change((0, 0), (0, 0), "x"), change((50, 0), (50, 0), "y"), change((0, 0), (0, 0), "z")]
    assert documents.change(URI, 2, wrong) is None
    assert documents.get(URI) is None


def test_a_client_that_gives_no_versions_is_trusted() -> None:
    documents = opened("a")
    for _ in range(3):
        assert documents.change(URI, None, [change((0, 0), (0, 0), "b")])
    document = documents.get(URI)
    assert document
    assert (document.text, document.version) == ("bbba", 4)


def test_a_change_that_changes_nothing_still_counts() -> None:
    documents = opened("a")
    changed = documents.change(URI, 5, [change((0, 0), (0, 0), ""), ContentChange("a")])
    assert changed
    assert changed.after.version == 5
    assert documents.change(URI, 5, [ContentChange("b")]) is None


def test_changes_of_closed_documents_are_ignored() -> None:
    documents = Documents()
    assert documents.change(URI, 1, [ContentChange("x")]) is None
    assert documents.get(URI) is None
    assert not documents.close(URI)
    documents.distrust(URI)
    assert len(documents) == 0


async def test_random_changes_through_the_server(start: Start) -> None:
    client = await start(model={"any": True})
    client.open("one\ntwo\n")
    client.change(2, wire((9, 0), (9, 0), "x"))
    assert await client.inline(0, 1) == []
    assert (await client.status())["out_of_step"] == [URI]
    assert len(client.received("window/showMessage")) == 1
    client.change(3, {"text": "one"})
    assert await client.inline(0, 1)
    client.change(2, wire((0, 0), (0, 0), "late"))
    assert await client.inline(0, 1) == []
    assert len(client.received("window/showMessage")) == 2
    client.change(1, wire((0, 0), (0, 0), "x"), uri="file:///never/opened")
    client.open("anew")
    assert await text_agrees(client, "anew")
    assert await client.inline(0, 1)
    assert (await client.status())["out_of_step"] == []


def test_positions_equal_those_of_the_library() -> None:
    text = "a😀\r\nb\rc\nd"
    document = Document(URI, text)
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] != "\r\n":
            line, character = document.position(offset)
            assert position(text, offset) == {"line": line, "character": character}
