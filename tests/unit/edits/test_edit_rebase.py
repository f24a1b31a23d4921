"""Carrying proposed edits over changes elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tabspec.edits.edit import EditSource, ProposedEdit, chained
from tabspec.edits.rebase import carried, rebased, rebased_chain
from tabspec.errors import PositionError
from tabspec.text import Document, Edit

URI = "file:///a.py"


def proposed(offset: int, delete: int, insert: str, cursor: int | None = None, uri: str = URI) -> ProposedEdit:
    at = offset + len(insert) if cursor is None else cursor
    return ProposedEdit(uri, Edit(offset, delete, insert), at, EditSource.RENAME, 0.9)


TEXT = Document(URI, "one\ntwo\nthree\n")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Edit(0, 3, "first"), proposed(6, 3, "TWO")),
        (Edit(0, 0, "zero\n"), proposed(9, 3, "TWO")),
        (Edit(0, 4, ""), proposed(0, 3, "TWO")),
        (Edit(4, 0, "half\n"), proposed(9, 3, "TWO")),
        (Edit(3, 0, "\nhalf"), proposed(9, 3, "TWO")),
        (Edit(8, 0, "more\n"), proposed(4, 3, "TWO")),
        (Edit(8, 5, "THREE"), proposed(4, 3, "TWO")),
        (Edit(3, 1, ""), None),  # the line before is joined with its line
        (Edit(7, 0, "x"), None),  # its line grows
        (Edit(4, 0, "x"), None),
        (Edit(4, 0, "T"), proposed(5, 3, "WO", cursor=7)),  # typing what it inserts, in front of what it deletes
        (Edit(4, 3, "TW"), proposed(6, 0, "O", cursor=7)),
        (Edit(4, 3, ""), proposed(4, 0, "TWO")),
        (Edit(5, 2, ""), proposed(4, 1, "TWO")),
        (Edit(4, 3, "TWO"), None),  # the user has made all of it
        (Edit(4, 3, "X"), None),
    ],
)
def test_an_edit_moves_shrinks_or_is_gone(change: Edit, expected: ProposedEdit | None) -> None:
    assert rebased(proposed(4, 3, "TWO"), TEXT, [change]) == expected


def test_enter_at_the_end_of_its_line_leaves_an_edit_alone() -> None:
    assert rebased(proposed(4, 1, "T"), TEXT, [Edit(7, 0, "\n")]) == proposed(4, 1, "T")


def test_edits_of_other_documents_stay() -> None:
    other = proposed(4, 3, "TWO", uri="file:///b.py")
    assert rebased(other, TEXT, [Edit(0, 13, "")]) is other


def test_a_chain_ends_where_an_edit_is_gone() -> None:
    chain = chained((proposed(0, 3, "ONE!"), proposed(5, 3, "TWO!"), proposed(10, 5, "THREE")))
    left = rebased_chain(chain, TEXT, [Edit(4, 1, "x")])
    assert left == chain[:1]
    assert rebased_chain(chain, TEXT, [Edit(0, 1, "")]) == chained(
        (proposed(0, 2, "ONE!"), proposed(5, 3, "TWO!"), proposed(10, 5, "THREE"))
    )


def test_an_edit_outside_of_its_document_is_an_error() -> None:
    with pytest.raises(PositionError):
        proposed(20, 0, "x").apply(TEXT)
    with pytest.raises(PositionError):
        proposed(0, 0, "x", cursor=99).apply(TEXT)
    with pytest.raises(ValueError, match="applied to"):
        proposed(0, 0, "x", uri="file:///b.py").apply(TEXT)


# --- properties -------------------------------------------------------------------------------------------------------

TEXTS = st.text("ab \n\r", max_size=20)


@st.composite
def changes(draw: st.DrawFn, text: str, insert: st.SearchStrategy[str] = TEXTS) -> Edit:
    offset = draw(st.integers(0, len(text)))
    return Edit(offset, draw(st.integers(0, min(5, len(text) - offset))), draw(insert))


@settings(max_examples=500)
@given(st.data(), TEXTS)
def test_rebasing_and_applying_is_applying_and_making_the_users_change(data: st.DataObject, text: str) -> None:
    document = Document(URI, text)
    change = data.draw(changes(text, st.text("ab\n", max_size=4)))
    edit = data.draw(changes(text, st.text("ab\n", max_size=4)))
    cursor = data.draw(st.integers(0, len(edit.apply(text))))
    offered = proposed(edit.offset, edit.delete, edit.insert, cursor)
    left = rebased(offered, document, [change])
    if left is None or not (edit.delete or edit.insert):
        return
    one = left.apply(document.edited(change)).text
    whole = offered.apply(document).text
    if _is_part(change, edit):
        assert one == whole and left.cursor == cursor  # a part of it was typed: it still leads to the same text
    else:
        other = carried(change, edit)
        assert one == other.apply(whole)
        assert _lines(text, edit) == _lines(change.apply(text), left.change)  # its anchors are as they were


def _is_part(change: Edit, edit: Edit) -> bool:
    """Whether ``change`` makes a part of ``edit``: deletes what it deletes, or types the beginning of its text."""
    inside = edit.offset <= change.offset and change.offset + change.delete <= edit.offset + edit.delete
    if not change.insert:
        return inside and change.delete > 0
    return inside and change.offset == edit.offset and edit.insert.startswith(change.insert)


def _lines(text: str, edit: Edit) -> tuple[str, str, str]:
    """What an edit replaces, and what stands around it on its lines."""
    before, after = text[: edit.offset], text[edit.offset + edit.delete :]
    document = Document(URI, text)
    first = document.line_starts[document.position(edit.offset).line]
    last = document.position(edit.offset + edit.delete).line
    end = document.line_starts[last] + len(document.line(last))
    return (
        before[first:],
        text[edit.offset : edit.offset + edit.delete],
        after[: max(end - edit.offset - edit.delete, 0)],
    )  # not for a range that ends within a CRLF


@settings(max_examples=200)
@given(st.data(), st.text("ab\n", min_size=4, max_size=30))
def test_a_chain_and_a_change_elsewhere_can_be_made_in_either_order(data: st.DataObject, text: str) -> None:
    document = after = Document(URI, text)
    edits = []
    for _ in range(data.draw(st.integers(1, 4))):
        edit = data.draw(changes(after.text, st.text("ab\n", max_size=3)))
        assume(edit.delete or edit.insert)
        edits.append(proposed(edit.offset, edit.delete, edit.insert))
        after = edits[-1].apply(after)
    change = data.draw(changes(text, st.text("ab\n", max_size=3)))
    left = rebased_chain(chained(tuple(edits)), document, [change])
    result, expected, made = document.edited(change), document, change
    for offered, other in zip(edits, left, strict=False):
        result, expected = other.apply(result), offered.apply(expected)
        if _is_part(made, offered.change):
            assert result.text == expected.text
            assert len(left) == len(edits)
            return
        made = carried(made, offered.change)
        assert result.text == made.apply(expected.text)


@settings(max_examples=200)
@given(st.text("ab\n", max_size=10), st.text("ab\n", max_size=10), st.text("xy(\n", min_size=1, max_size=8))
@example("a", "b", "xx")
def test_typing_an_insertion_letter_by_letter_uses_it_up(before: str, after: str, insert: str) -> None:
    document = Document(URI, before + after)
    left: ProposedEdit | None = proposed(len(before), 0, insert)
    for at, char in enumerate(insert):
        assert left is not None
        change = Edit(len(before) + at, 0, char)
        left, document = rebased(left, document, [change]), document.edited(change)
        if left is not None:
            assert left.apply(document).text == before + insert + after
    assert left is None and document.text == before + insert + after
