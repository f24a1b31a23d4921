"""What proposals learn from: accepting an edit of a chain changes nothing but the place where it was made."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.history import EMPTY, MOST_STEPS
from tabspec.edits.lessons import agreeing, digest, lessons
from tabspec.edits.proposals.propose import propose
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit
from tests.examples import examples

URI = "file:///a.py"
LINES = (
    "    total = count + 1\n",
    "    show(count)\n",
    "    return count\n",
    "    if count: pass\n",
    "    other = [1, 2]\n",
    "    call(self, 3)\n",
    "    call(self, name)\n",
    "\n",
    "    # count\n",
    "def g(self):\n",
    "    x = await fetch(url)\n",
    "    y = fetch(url)\n",
)
# What the user does in one line, wherever it is found first.
CHANGES = (
    ("count", "amount"),
    ("call(self, 3)", "call(self, 3, None)"),
    ("show(", "display("),
    ("fetch(", "load("),
    ("    return", "    print(1)\n    return"),
    (" + 1", ""),
)


def at_cursor(context: EditContext, least: float = 0.2) -> tuple[ProposedEdit, ...]:
    assert context.history is not None
    return propose(context.document, context.offset, lessons(context.history), least=least)


def after(context: EditContext, edit: Edit, time: float) -> EditContext:
    document, history = context.document.edited(edit), context.history
    assert history is not None
    return EditContext(document, edit.end, history.changed(context.document, [edit], document, time))


@st.composite
def edited(draw: st.DrawFn) -> EditContext:
    """A document in which the user has just made some of the changes. Similar lines stand at several places."""
    kinds = draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=3))
    lines = draw(st.lists(st.tuples(st.sampled_from(kinds), st.sampled_from((0, 0, 3, 9))), min_size=3, max_size=20))
    body = "".join(line + "".join(f"    step_{at}_{n}()\n" for n in range(gap)) for at, (line, gap) in enumerate(lines))
    context = EditContext(Document(URI, "def f(self, count):\n" + body, "python"), 0, EMPTY)
    telling = [change for change in CHANGES if change[0] in body]
    for number, (old, new) in enumerate(draw(st.lists(st.sampled_from(telling), max_size=3)) if telling else ()):
        if (at := context.document.text.find(old)) >= 0:
            context = after(context, Edit(at, len(old), new), 10.0 * number)
    return context


@settings(max_examples=examples(150), deadline=None)
@given(edited())
def test_walking_a_chain_makes_what_it_proposed(context: EditContext) -> None:
    """Proposing anew after each accept leads to the text that the first chain leads to, whatever the order."""
    whole = context.document
    for edit in at_cursor(context):
        whole = edit.apply(whole)
    learned = context.history and lessons(context.history)
    for _ in range(len(at_cursor(context))):
        chain = at_cursor(context)
        assert chain
        context = context.after_accept(Suggestion.of(chain[0]))
        assert context.history is not None and lessons(context.history) == learned
    assert context.document.text == whole.text
    assert at_cursor(context) == ()


def test_a_chain_that_is_longer_than_the_history_goes_on_to_its_end() -> None:
    count = MOST_STEPS + 20
    body = "".join(f"    use_{n}(value)\n\n\n\n\n" for n in range(count))
    context = EditContext(Document(URI, "def f(value):\n" + body, "python"), 0, EMPTY)
    context = after(context, Edit(6, 5, "amount"), 1.0)
    for left in range(count, 0, -1):
        chain = at_cursor(context)
        assert len(chain) == left
        context = context.after_accept(Suggestion.of(chain[0]))
    assert at_cursor(context) == ()
    assert context.history is not None and len(context.history.steps) == count + 1


def test_accepted_edits_push_out_nothing_but_what_was_typed_does() -> None:
    context = EditContext(Document(URI, "a\n" * 300, "python"), 0, EMPTY)
    for line in range(150):
        place = Edit(2 * line, 1, "b")
        if line % 2:
            context = context.after_accept(Suggestion.of(ProposedEdit(URI, place, place.end, EditSource.RENAME, 0.9)))
        else:
            context = after(context, place, 10.0 * line)
    assert context.history is not None
    assert [step.line for step in lessons(context.history)] == list(range(150 - 2 * MOST_STEPS, 150, 2))
    assert len(context.history.steps) == 2 * MOST_STEPS


def test_a_completed_line_teaches_and_a_paste_does_not() -> None:
    context = after(EditContext(Document(URI, "x = old\ny = old\n", "python"), 0, EMPTY), Edit(4, 3, "n"), 1.0)
    context = context.after_accept(Suggestion("ew"))
    assert context.history is not None
    assert [step.new for step in lessons(context.history)] == ["x = n\n", "x = new\n"]
    pasted = after(context, Edit(0, 0, "import this, that\n" * 9), 9.0)
    assert pasted.history is not None and lessons(pasted.history) == lessons(context.history)


def test_a_history_that_contradicts_a_document_teaches_nothing_of_it() -> None:
    context = after(EditContext(Document(URI, "x = old\ny = old\n", "python"), 0, EMPTY), Edit(4, 3, "new"), 1.0)
    history = context.history
    assert history is not None
    missed = Document(URI, "x = new\ny = older\n", "python")
    assert lessons(agreeing(history, [context.document, Document("file:///b.py", "z\n")])) == lessons(history)
    assert lessons(agreeing(history, [missed])) == () and digest(()) == 0


@pytest.mark.parametrize("source", [None, EditSource.RENAME])
def test_what_a_step_teaches_depends_on_who_made_it(source: EditSource | None) -> None:
    document, edit = Document(URI, "old\n"), Edit(0, 3, "new")
    history = EMPTY.changed(document, [edit], document.edited(edit), 1.0, accepted=True, source=source)
    assert [step.source for step in history.steps] == [source]
    assert bool(lessons(history)) == (source is None)
    undone = history.changed(document.edited(edit), [Edit(0, 3, "old")], document, 9.0)
    assert undone.steps == () and [step.source for step in undone.undone] == [source]
