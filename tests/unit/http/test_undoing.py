"""The document before the last edits, as a prompt has it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.http.edits.past_edits import undone

# A form feed, U+2028 and U+0085 end no line of a document, while `str.splitlines` takes them for line ends.
LINES = st.lists(st.sampled_from(["a\n", "b\n", "\n", "\x0c\n", "a\u2028b\n", "\x85c\n"]), min_size=1, max_size=10)


def request_of(lines: list[str], region: tuple[int, int], history: list[PastEdit]) -> EditRequest:
    before, after = "".join(lines[: region[0]]), "".join(lines[region[1] :])
    text = "".join(lines[region[0] : region[1]])
    return EditRequest("a.py", "python", before, text, after, 0, region[0], text, tuple(history))


@given(parts=st.lists(LINES, min_size=5, max_size=5), data=st.data())
def test_edits_anywhere_are_taken_back_as_far_as_they_are_shown(parts: list[list[str]], data: st.DataObject) -> None:
    """Of five parts of a document, the second to the fourth are shown: before the region, the region, after it."""
    was, history = [list(part) for part in parts], []
    for number in range(data.draw(st.integers(0, 6))):
        part = data.draw(st.integers(0, 4))
        # Within the part: what touches a border could be on either side of it.
        at = data.draw(st.integers(1, len(parts[part]) - 1)) if len(parts[part]) > 1 else 0
        stop = data.draw(st.integers(at, len(parts[part]) - 1)) if at else at
        if not at:
            continue
        new = [f"{number}\n"] * data.draw(st.integers(0 if stop > at else 1, 2))
        line = sum(map(len, parts[:part])) + at
        history.append(PastEdit("a.py", line, "".join(parts[part][at:stop]), "".join(new)))
        parts[part] = [*parts[part][:at], *new, *parts[part][stop:]]
    hidden, before, region, after, _ = parts
    start = len(before)
    request = request_of([*before, *region, *after], (start, start + len(region)), history)
    request = replace(request, line=len(hidden) + start)
    assert undone(request) == ("".join(line for part in was[1:4] for line in part), "".join(was[2]))
    elsewhere = tuple(replace(edit, elsewhere=True) for edit in history)
    assert undone(replace(request, history=elsewhere)) == ("".join((*before, *region, *after)), "".join(region))


def test_what_the_region_was() -> None:
    inside = PastEdit("a.py", 2, "old\n", "new\nnew\n")
    above = PastEdit("a.py", 0, "x\ny\n", "z\n")
    below = PastEdit("a.py", 4, "", "w\n")
    now = ["z\n", "r\n", "new\n", "new\n", "w\n", "end\n"]
    # The edit above was made first, when the others stood a line below.
    moved = [above, replace(inside, line=2), replace(below, line=4)]
    assert undone(request_of(now, (1, 4), moved)) == ("x\ny\nr\nold\nend\n", "r\nold\n")


def test_an_edit_whose_lines_are_not_there_or_over_the_regions_border_ends_it() -> None:
    now = ["a\n", "b\n", "c\n"]
    first = PastEdit("a.py", 2, "was\n", "c\n")
    for stops in (PastEdit("a.py", 1, "x\n", "not there\n"), PastEdit("a.py", 0, "x\n", "a\nb\n")):
        assert undone(request_of(now, (1, 3), [first, stops]))[0] == "a\nb\nc\n"
        assert undone(request_of(now, (1, 3), [stops, first]))[0] == "a\nb\nwas\n"
    assert undone(request_of(now, (1, 3), [PastEdit("a.py", 9, "x\n", "")]))[0] == "a\nb\nc\n"


def test_an_old_line_end_is_one_line() -> None:
    """``\\r`` alone ends a line of a document, too."""
    assert undone(request_of(["a\r", "b\n", "c\n"], (1, 2), [PastEdit("a.py", 1, "x\n", "b\n")])) == (
        "a\rx\nc\n",
        "x\n",
    )
