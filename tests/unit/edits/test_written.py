"""From a region that a model has rewritten to edits: what is made of any answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.written import written
from tabspec.text import Document

URI = "file:///a.py"
lines = st.lists(st.sampled_from(["a", "b", "", "  c(d)", "é", "x = 1"]), max_size=14)


@given(
    before=lines,
    old=lines,
    new=lines,
    after=lines,
    line_end=st.sampled_from(["\n", "\r\n"]),
    ended=st.booleans(),
    cursor=st.integers(0, 200),
)
def test_the_edits_of_a_chain_make_the_region_what_the_model_wrote(
    before: list[str], old: list[str], new: list[str], after: list[str], line_end: str, ended: bool, cursor: int
) -> None:
    def joined(texts: list[str]) -> str:
        return "".join(text + line_end for text in texts)

    head, region, tail = joined(before), joined(old), joined(after)
    if not ended and not after:  # a document whose last line has no line end
        region = region.removesuffix(line_end)
    document = Document(URI, head + region + tail)
    place = len(head), len(head) + len(region)
    answer = "".join(text + "\n" for text in new)
    chain = written(document, place, answer, min(cursor, len(document.text)), 0.5)
    found = document
    for number, edit in enumerate(chain):
        assert (edit.source, edit.probability, edit.position) == (EditSource.MODEL, 0.5, number)
        found = edit.apply(found)
    # The brute force: the whole region replaced. The line ends are the document's; the last one only where it was.
    wanted = joined(new) if region.endswith(line_end) or not region else joined(new).removesuffix(line_end)
    if "\r" in document.text or line_end == "\n":
        assert found.text == head + wanted + tail
    else:  # one line without a line end, in which no CRLF shows what the document's are
        assert found.text.replace("\r\n", "\n") == (head + wanted + tail).replace("\r\n", "\n")


def test_places_far_from_one_another_are_edits_of_their_own_the_nearest_first() -> None:
    text = "".join(f"{number}\n" for number in range(30))
    document = Document(URI, text)
    new = text.replace("3\n", "three\n", 1).replace("20\n", "twenty\n").replace("22\n", "")
    chain = written(document, (0, len(text)), new, text.index("18\n"), 0.5)
    assert document.position(chain[0].change.offset).line == 20
    assert len(chain) == 2  # 20 and 22 are one proposal


def test_an_unchanged_region_is_no_edit_whatever_its_line_ends() -> None:
    document = Document(URI, "a\r\nb\nc")
    assert written(document, (0, 6), "a\nb\nc\n", 0, 0.5) == ()
    assert written(document, (0, 6), "a\nb\nc", 0, 0.5) == ()
