"""Edit models on a real llama-server: along a chain of edits, a part of each prompt is in the KV cache.

The bundled model writes no edits: what it answers is not looked at, only the server's own figures.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tabspec.config import EditForm
from tabspec.context import EditContext
from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.history import EMPTY
from tabspec.engine.next_edits.state import EditState
from tabspec.models.http import HttpModel
from tabspec.models.http.edits import HttpEditModel, asking
from tabspec.models.protocol import StopRule
from tabspec.prompt.window import WindowSize
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_hurry")]

LINES = [f"    {random.Random(number).choice(['total', 'rest', 'price'])} = load({number})\n" for number in range(60)]
TEXT = "def first():\n" + "".join(LINES)


# All but Mercury's, which is hosted.
FORMS = [EditForm.SWEEP, EditForm.ZETA, EditForm.ZETA2, EditForm.ZETA21, EditForm.INSTINCT]


# Zeta 2 begins with the text after the region, which moves with the cursor.
@pytest.mark.parametrize("form", [EditForm.SWEEP, EditForm.ZETA, EditForm.INSTINCT])
async def test_the_prompt_is_reused_along_a_chain(
    bundled_on_llama: str, form: EditForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each accept changes one line of the region. What stands before the region's first change stays."""
    monkeypatch.setattr(asking, "most_tokens", lambda _: 4)  # what it writes is of no use here
    model = HttpEditModel(HttpModel(bundled_on_llama), form)
    await model.connect()
    region = model.region
    assert region is not None
    mark = f"# {form.value}"  # no format finds what another one has left in the cache
    first = Edit(TEXT.index(LINES[30]), 0, mark)
    document = Document("file:///a.py", TEXT, "python")
    after = document.edited(first)
    context = EditContext(after, first.end, EMPTY.changed(document, [first], after, 1.0))
    shares = []
    for line in range(31, 35):
        state = EditState.of(context, region, WindowSize(1200, 400, 400), model.info.fingerprint, lambda *_: ())
        assert state is not None
        request = replace(state.request(StopRule()), foreground=True)
        usage = (await model.edit(request)).usage
        assert usage.prefill + usage.reused > 100
        shares.append(usage.reused / (usage.prefill + usage.reused))
        place = context.document.text.index(LINES[line])
        change = Edit(place, 0, mark)
        context = context.after_accept(
            Suggestion.of(ProposedEdit(context.uri, change, change.end, EditSource.MODEL, 0.9))
        )
    await model.close()
    assert min(shares[1:]) > 0.1, shares


@pytest.mark.parametrize("form", FORMS)
async def test_the_same_prompt_computes_one_token(
    bundled_on_llama: str, form: EditForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a speculation that was interrupted: the request that follows it computes one token."""
    monkeypatch.setattr(asking, "most_tokens", lambda _: 4)
    model = HttpEditModel(HttpModel(bundled_on_llama), form)
    await model.connect()
    document = Document("file:///a.py", TEXT, "python")
    context = EditContext(document, TEXT.index(LINES[20]))
    region = model.region
    assert region is not None
    state = EditState.of(context, region, WindowSize(1200, 400, 400), "", lambda *_: ())
    assert state is not None
    request = state.request(StopRule())
    await model.edit(replace(request, foreground=False))
    usage = (await model.edit(request)).usage
    await model.close()
    assert usage.reused > 100 and usage.prefill <= 8
