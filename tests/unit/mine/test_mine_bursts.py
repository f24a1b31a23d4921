"""Bursts of typing, and the division of sessions in time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.errors import InputError
from tabspec.lab.converters.session_writer import write_session
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.text import Edit
from tabspec.train.mine.bursts import LONGEST, MOST_TYPED, Burst, bursts
from tabspec.train.mine.sessions import read_sessions, split

TEXT = "def f(x):\n    return x\n"


def session(text: str, *edits: Edit, name: str = "a") -> Session:
    events = tuple(EditEvent(float(at), (edit,)) for at, edit in enumerate(edits))
    return Session(text, events, language="python", uri=f"file:///{name}.py", name=name)


@st.composite
def sessions(draw: st.DrawFn, name: str = "a") -> Session:
    now = text = draw(st.text("ab\n", max_size=20))
    edits = []
    for _ in range(draw(st.integers(0, 12))):
        offset = draw(st.integers(0, len(now)))
        edit = Edit(offset, draw(st.integers(0, min(3, len(now) - offset))), draw(st.text("xy \n", max_size=3)))
        edits.append(edit)
        now = edit.apply(now)
    return session(text, *edits, name=name)


def typing(at: int, text: str) -> list[Edit]:
    return [Edit(at + number, 0, char) for number, char in enumerate(text)]


def test_a_burst_is_the_remaining_text_of_typing_at_one_place() -> None:
    edits = [*typing(9, "\n    y = 1"), Edit(17, 2, "2"), *typing(0, "# é"), Edit(0, 3, "")]
    assert list(bursts(session(TEXT, *edits))) == [Burst(TEXT[:9], "\n    y =2", TEXT[9:])]


def test_indentation_of_a_line_that_was_not_begun_is_not_learned() -> None:
    assert list(bursts(session(TEXT, *typing(9, " # a\n    ")))) == [Burst(TEXT[:9], " # a", "\n    " + TEXT[9:])]


def test_pasted_text_is_not_learned_and_long_text_in_part() -> None:
    assert not list(bursts(session("", Edit(0, 0, "x" * (MOST_TYPED + 1)), Edit(201, 0, "y"))))
    (found,) = bursts(session("", *typing(0, "x" * (LONGEST + 9))))
    assert found == Burst("", "x" * LONGEST, "x" * 9, finished=False)


class Mark:
    """An end of a burst, as an item among the characters of a document."""


def brute_force(recorded: Session) -> list[tuple[str, str, str]]:
    """The texts before, in and after each burst. The ends of the burst are items in the list of characters."""
    document: list[str | Mark] = list(recorded.text)
    first, last = Mark(), Mark()
    found: list[tuple[str, str, str]] = []

    def text(items: list[str | Mark]) -> str:
        return "".join(item for item in items if isinstance(item, str))

    def end() -> None:
        if first in document:
            start, stop = document.index(first), document.index(last)
            found.append((text(document[:start]), text(document[start:stop]), text(document[stop:])))
            document[:] = [item for item in document if isinstance(item, str)]

    for event in recorded.edits:
        (edit,) = event.edits
        if first in document:
            start, stop = (len(text(document[: document.index(mark)])) for mark in (first, last))
            if set(range(edit.offset, edit.offset + edit.delete + 1)).isdisjoint(range(start, stop + 1)):
                end()
        inside = first in document
        document[:] = [item for item in document if isinstance(item, str)]
        span = [edit.offset, edit.offset + edit.delete]
        if inside:
            span = [min(start, span[0]), max(stop, span[1])]
        document[edit.offset : edit.offset + edit.delete] = edit.insert
        document.insert(span[1] + len(edit.insert) - edit.delete, last)
        document.insert(span[0], first)
    end()
    return found


@given(sessions())
def test_bursts_equal_brute_force(recorded: Session) -> None:
    expected = []
    for before, text, after in brute_force(recorded):
        kept = text.rstrip()
        if kept.strip():
            expected.append(Burst(before, kept, text[len(kept) :] + after))
    assert list(bursts(recorded)) == expected


@given(st.lists(sessions(), min_size=1, max_size=4), st.floats(0, 1))
def test_a_division_in_time_loses_nothing(recorded: list[Session], share: float) -> None:
    earlier, later = split(recorded, share)
    total = sum(len(each.edits) for each in recorded)
    assert sum(len(each.edits) for each in earlier) == round(share * total)
    joined = [event for each in [*earlier, *later] for event in each.events]
    assert joined == [event for each in recorded for event in each.events]
    cut = len(earlier) + len(later) - len(recorded)
    assert cut in (0, 1)
    if cut:
        assert later[0].text == earlier[-1].final_text()
        assert later[0].final_text() == recorded[len(earlier) - 1].final_text()


def test_the_newest_sessions_are_read_in_order_of_time(tmp_path: Path) -> None:
    for name in ("20261103-b", "20261101-c", "20261102-a"):
        write_session(session("", *typing(0, name), name=name), tmp_path / f"{name}.jsonl.gz")
    (tmp_path / "20261104-x.side.jsonl").write_text("no session")
    found = read_sessions(tmp_path, least=15, most=15)
    assert [each.name for each in found] == ["20261102-a", "20261103-b"]


def test_unusable_sessions_are_skipped(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_sessions(tmp_path / "missing")
    with pytest.raises(InputError, match="no recorded session"):
        read_sessions(tmp_path)
    write_session(session("", *typing(0, "x = 1")), tmp_path / "1.jsonl")
    with pytest.raises(InputError, match=r"only 5 edits.*2,000 are needed"):
        read_sessions(tmp_path)
    (tmp_path / "2.jsonl").write_text('{"format": "other"}\n')
    with pytest.raises(InputError, match=r"2\.jsonl"):
        read_sessions(tmp_path, least=1)
