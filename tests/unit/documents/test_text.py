"""Documents, edits and positions, against brute force."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.errors import PositionError
from tabspec.text import Document, Edit, Position, PositionEncoding, apply_edits, common_prefix, difference

# emoji, a combining character, a family joined by ZWJ, CRLF, lone CR, tabs, line ends that are none for editors
texts = st.text(alphabet="ab \t\n\r😀é\u0301👩‍\u2028\u000bß", max_size=40) | st.lists(
    st.sampled_from(["\r\n", "\n", "\r", "x", "😀", "e\u0301", "👩‍👩‍👧", "\t", "line"]), max_size=12
).map("".join)
encodings = st.sampled_from(list(PositionEncoding))

UNITS = {
    PositionEncoding.UTF8: lambda c: len(c.encode("utf-8")),
    PositionEncoding.UTF16: lambda c: len(c.encode("utf-16-le")) // 2,
    PositionEncoding.UTF32: lambda c: 1,
}


def brute_position(text: str, offset: int, encoding: PositionEncoding) -> Position:
    line, character, i = 0, 0, 0
    while i < offset:
        if text[i : i + 2] == "\r\n":
            if i + 1 == offset:  # between \r and \n: still on the line
                return Position(line, character + 1)
            line, character, i = line + 1, 0, i + 2
        elif text[i] in "\r\n":
            line, character, i = line + 1, 0, i + 1
        else:
            character, i = character + UNITS[encoding](text[i]), i + 1
    return Position(line, character)


@given(texts, st.data(), encodings)
def test_position_of_every_offset_and_back(text: str, data: st.DataObject, encoding: PositionEncoding) -> None:
    document = Document("file:///a", text)
    offset = data.draw(st.integers(0, len(text)))
    position = document.position(offset, encoding)
    assert position == brute_position(text, offset, encoding)
    inside_line_end = text[offset - 1 : offset + 1] == "\r\n"
    assert document.offset(position, encoding) == (offset - 1 if inside_line_end else offset)


@given(texts, encodings, st.integers(0, 60))
def test_a_character_beyond_the_line_is_its_end(text: str, encoding: PositionEncoding, character: int) -> None:
    document = Document("file:///a", text)
    for line in range(document.line_count):
        content = document.line(line)
        offset = document.offset(Position(line, character), encoding)
        assert document.line_starts[line] <= offset <= document.line_starts[line] + len(content)
        used = sum(UNITS[encoding](c) for c in content[: offset - document.line_starts[line]])
        assert used <= character or character == 0
        assert document.offset(Position(line, 10_000), encoding) == document.line_starts[line] + len(content)


def test_a_position_inside_a_surrogate_pair_is_the_start_of_its_character() -> None:
    assert Document("u", "a😀b").offset(Position(0, 2), PositionEncoding.UTF16) == 1


@pytest.mark.parametrize("position", [Position(2, 0), Position(-1, 0), Position(0, -1), Position(1, 1)])
def test_positions_outside_are_refused(position: Position) -> None:
    with pytest.raises(PositionError):
        Document("u", "x").offset(position)


def test_the_line_after_the_last_means_the_end() -> None:
    assert Document("u", "a\nb").offset(Position(2, 0)) == 3
    assert Document("u", "").offset(Position(0, 0)) == 0
    assert Document("u", "").position(0) == Position(0, 0)


@given(texts, st.data())
def test_line_starts_follow_edits(text: str, data: st.DataObject) -> None:
    document = Document("u", text)
    for _ in range(3):
        _ = document.line_starts
        offset = data.draw(st.integers(0, len(document.text)))
        delete = data.draw(st.integers(0, len(document.text) - offset))
        document = document.edited(Edit(offset, delete, data.draw(texts)))
        assert document.line_starts == [0, *(m.end() for m in re.finditer(r"\r\n|\n|\r", document.text))]


@pytest.mark.parametrize("edit", [Edit(-1, 0, ""), Edit(0, 4, ""), Edit(4, 0, "x"), Edit(1, -1, "")])
def test_edits_outside_are_refused(edit: Edit) -> None:
    with pytest.raises(PositionError):
        edit.apply("abc")


@given(texts, texts)
def test_difference_is_an_edit_from_one_to_the_other(a: str, b: str) -> None:
    edit = difference(a, b)
    assert (edit is None) == (a == b)
    assert apply_edits(a, [edit] if edit else []) == b
    if edit:
        assert not edit.delete or not edit.insert or a[edit.offset] != edit.insert[0]


@given(texts, texts)
def test_common_prefix(a: str, b: str) -> None:
    expected = 0
    while expected < min(len(a), len(b)) and a[expected] == b[expected]:
        expected += 1
    assert common_prefix(a, b) == expected
