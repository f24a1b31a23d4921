"""What proposals learn from: accepting an edit of a chain changes nothing but the place where it was made."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.edits.edit import ProposedEdit
from tabspec.edits.history import EMPTY
from tabspec.edits.lessons import lessons
from tabspec.edits.proposals.propose import propose
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit

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


def at_cursor(context: EditContext, least: float = 0.65) -> tuple[ProposedEdit, ...]:
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


@settings(max_examples=150, deadline=None)
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
