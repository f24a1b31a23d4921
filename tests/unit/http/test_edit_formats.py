"""Formats of edit models: the prompts, the reading of published answers, and special tokens
that stand in the user's own text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.config import EditForm
from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.http.edits import instinct, markers, mercury, sweep, zeta, zeta2
from tabspec.models.http.edits.formats import FORMATS, edit_format
from tabspec.models.http.edits.past_edits import hunk
from tabspec.models.http.edits.quoting import quoted, quoted_request, unquoted
from tabspec.models.http.marks import MARKS
from tabspec.models.protocol import RelatedText
from tests.edit_requests import NEW, REQUEST

SWEEP = """\
<|file_sep|>cart.py
from shop import total
<|file_sep|>shop.py
import math
def total(item):
    return sum(item)

print(total([1]))

<|file_sep|>shop.py:2:2
original:
def total(item):
updated:
def total(items):
<|file_sep|>original/shop.py:2:4
def total(item):
    return sum(item)
<|file_sep|>current/shop.py:2:4
def total(items):
    return sum(item)
<|file_sep|>updated/shop.py:2:4
"""

ZETA_END = """\
### User Edits:

User edited "shop.py":
```diff
@@ -2,1 +2,1 @@
-def total(item):
+def total(items):
```

### User Excerpt:

```shop.py
<|start_of_file|>
import math
<|editable_region_start|>
def total(items):
    return sum(<|user_cursor_is_here|>item)
<|editable_region_end|>

print(total([1]))
```

### Response:
"""

ZETA2 = """\
<[fim-suffix]>
print(total([1]))
<[fim-prefix]><filename>cart.py
from shop import total

<filename>edit_history
--- a/shop.py
+++ b/shop.py
@@ -2,1 +2,1 @@
-def total(item):
+def total(items):

<filename>shop.py
import math
<<<<<<< CURRENT
def total(items):
    return sum(<|user_cursor|>item)
=======
<[fim-middle]>"""

MERCURY = """\
<|recently_viewed_code_snippets|>
<|recently_viewed_code_snippet|>
code_snippet_file_path: cart.py
from shop import total
<|/recently_viewed_code_snippet|>
<|/recently_viewed_code_snippets|>

<|current_file_content|>
current_file_path: shop.py
import math
<|code_to_edit|>
def total(items):
    return sum(<|cursor|>item)
<|/code_to_edit|>

print(total([1]))
<|/current_file_content|>

<|edit_diff_history|>
--- shop.py
+++ shop.py
@@ -2,1 +2,1 @@
-def total(item):
+def total(items):

<|/edit_diff_history|>
"""

INSTINCT_END = """\
### Context:
<|context_file|>: cart.py
<|snippet|>
from shop import total


### User Edits:

User edited file "shop.py"

```diff
@@ -2,1 +2,1 @@
-def total(item):
+def total(items):
```

### User Excerpt:
shop.py

import math
<|editable_region_start|>
def total(items):
    return sum(<|user_cursor_is_here|>item)
<|editable_region_end|>

print(total([1]))
```
### Response:<|im_end|>
<|im_start|>assistant
"""


def test_prompts_of_each_format() -> None:
    assert sweep.prompt(REQUEST) == SWEEP
    assert zeta.prompt(REQUEST).startswith("### Instruction:\n") and zeta.prompt(REQUEST).endswith(ZETA_END)
    assert zeta2.prompt(REQUEST) == ZETA2
    region = ZETA2[ZETA2.index("<<<") : ZETA2.index("<[fim-middle]>")]
    marked = "<|marker_1|>def total(items):\n    return sum(<|user_cursor|>item)\n<|marker_2|>\n"
    assert markers.prompt(REQUEST) == ZETA2.replace(region, marked)
    assert mercury.prompt(REQUEST) == MERCURY
    assert instinct.prompt(REQUEST).startswith("<|im_start|>system\n")
    assert instinct.prompt(REQUEST).endswith(INSTINCT_END)


def test_lines_of_sweep_are_those_of_the_document() -> None:
    """A form feed or U+2028 in a line ends none, in the line numbers and where past edits are taken back."""
    (past,) = REQUEST.history
    old, new = "a\u2028b\n", "a\u2028c\n"
    history = (past, PastEdit("shop.py", 4, old, new))
    before, region = f"\x0c{REQUEST.before}", f"{REQUEST.region}\x0c\n{new}"
    prompt = sweep.prompt(replace(REQUEST, before=before, region=region, history=history))
    assert f"<|file_sep|>shop.py:5:5\noriginal:\n{old}updated:\n{new}" in prompt
    assert f"<|file_sep|>original/shop.py:2:6\n{REQUEST.earlier}\x0c\n{old}<|file_sep|>" in prompt


def test_an_accepted_edit_is_marked_as_one_in_zeta_2() -> None:
    (past,) = REQUEST.history
    request = replace(REQUEST, history=(replace(past, accepted=True),))
    assert "\n// User accepted prediction:\n--- a/shop.py\n" in zeta2.prompt(request)


def test_the_excerpt_of_zeta_begins_the_file_only_where_it_does() -> None:
    assert "<|start_of_file|>" not in zeta.prompt(replace(REQUEST, line=12))


@pytest.mark.parametrize(
    ("form", "answer", "read"),
    [
        (sweep, NEW, NEW),
        (sweep, NEW + "<|file_sep|>other.py\nx = 1\n", NEW),
        (sweep, NEW.rstrip("\n") + "<|endoftext|>", NEW),
        (sweep, "", None),
        (zeta, f"<|editable_region_start|>\n{NEW}<|editable_region_end|>\n```", NEW),
        (zeta, f"<|editable_region_start|>\n{NEW.rstrip()}", NEW),  # a stop text ended it
        (zeta, "<|editable_region_start|>\n" + NEW.replace("items)\n", "items<|user_cursor_is_here|>)\n", 1), NEW),
        (zeta, "I would rename the argument.", None),
        (zeta2, NEW, NEW),
        (zeta2, NEW + ">>>>>>> UPDATED\n", NEW),
        (zeta2, NEW.replace("sum(items", "sum(items<|user_cursor|>"), NEW),
        (zeta2, NEW + "<|user_cursor|>\n", NEW),
        (zeta2, "NO_EDITS\n", None),
        (markers, f"<|marker_1|>{NEW}<|marker_2|>", NEW),
        (markers, f"<|marker_1|>{NEW}<|marker_2|><[end▁of▁sentence]>", NEW),
        (markers, "<|marker_1|><|marker_1|>", None),
        (markers, f"<|marker_1|>{NEW}", None),  # half an answer
        (markers, f"<|marker_1|>{NEW}<|marker_9|>", None),  # no such place
        (markers, NEW, None),
        (mercury, f"```\n{NEW}```", NEW),
        (mercury, f"```python\n{NEW.rstrip()}\n```", NEW),
        (mercury, f"```\n<|code_to_edit|>\n{NEW}<|/code_to_edit|>\n```", NEW),
        (mercury, "", None),
        (instinct, NEW.rstrip("\n"), NEW),
        (instinct, f"```python\n{NEW}```<|im_end|>", NEW),
        (instinct, f"<|editable_region_start|>\n{NEW}<|editable_region_end|>", NEW),
        (instinct, "<|im_end|>", None),
    ],
)
def test_edits_read_from_answers(form: object, answer: str, read: str | None) -> None:
    assert form.read(answer, REQUEST) == read  # type: ignore[attr-defined]


def test_code_with_fences_is_not_taken_for_a_fence() -> None:
    region = "Usage:\n\n```sh\nrun\n```\n"
    request = replace(REQUEST, region=region, cursor=0)
    assert mercury.read(f"```markdown\n{region}```", request) == region
    assert instinct.read(region, request) == region


def test_a_region_without_a_line_end_gets_none() -> None:
    request = replace(REQUEST, region="x = 1", cursor=0)
    assert sweep.read("x = 2\n", request) == "x = 2"
    assert mercury.read("```\nx = 2\n```", request) == "x = 2"


def test_blocks_begin_after_blank_lines_and_are_not_too_long() -> None:
    def blocks(region: str) -> list[int]:
        return [region[:at].count("\n") for at in markers.borders(region)]

    assert blocks("") == [0, 0]
    assert blocks("a\n" * 5) == [0, 5]
    assert blocks("a\n" * 7 + "\n" + "b\n" * 7) == [0, 8, 15]
    assert blocks("a\n" * 3 + "\n" + "b\n" * 12) == [0, 16]  # too early for a border
    assert blocks("a\n" * 20) == [0, 16, 20]
    assert blocks("a\n" * 15 + "}\n" * 2 + "a\n" * 20) == [0, 17, 33, 37]  # no block begins with what closes one
    assert blocks("a\n" * 7 + "\n" + "}\n" + "b\n" * 12) == [0, 9, 21]


def test_a_span_between_marks_replaces_its_blocks_only() -> None:
    region = "a\n" * 7 + "\n" + "b\n" * 7 + "\n" + "c\n" * 7
    request = replace(REQUEST, region=region, cursor=len("a\n" * 7 + "\nb"))
    shown = markers.prompt(request)
    assert "\n\n<|marker_2|>b<|user_cursor|>\nb\n" in shown and "\n\n<|marker_3|>c\n" in shown
    assert markers.read("<|marker_2|>new\n\n<|marker_3|>", request) == "a\n" * 7 + "\nnew\n\n" + "c\n" * 7
    assert markers.read("<|marker_1|>x\n<|marker_2|>new\n<|marker_4|>", request) == "x\nnew\n"


@given(text=st.text(alphabet="ab}\n ", max_size=200), data=st.data())
def test_marks_and_the_cursor_stand_in_the_region_as_it_is(text: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    request = replace(REQUEST, region=text, cursor=cursor, before="", after="", history=(), related=())
    borders = markers.borders(text)
    assert borders == sorted(borders) and borders[0] == 0 and borders[-1] == len(text)
    shown = markers.prompt(request).partition("<filename>shop.py\n")[2].partition("\n<[fim-middle]>")[0]
    for number in range(1, len(borders) + 1):
        assert shown.count(f"<|marker_{number}|>") == 1
        shown = shown.replace(f"<|marker_{number}|>", "")
    assert shown == text[:cursor] + "<|user_cursor|>" + text[cursor:]


def test_past_edits_as_diffs() -> None:
    assert hunk(PastEdit("a", 4, "x\ny\n", "")) == "@@ -5,2 +4,0 @@\n-x\n-y\n"
    assert hunk(PastEdit("a", 0, "", "x")) == "@@ -0,0 +1,1 @@\n+x\n"


@pytest.mark.parametrize(
    ("model", "form"),
    [
        ("sweepai/sweep-next-edit-1.5B", EditForm.SWEEP),
        ("sweep-next-edit-v2-7B-Q5_K_M.gguf", EditForm.SWEEP),
        ("zed-industries/zeta", EditForm.ZETA),
        ("zeta-Q8_0.gguf", EditForm.ZETA),
        ("zed-industries_zeta-2-Q8_0.gguf", EditForm.ZETA2),
        ("zeta2:latest", EditForm.ZETA2),
        ("zed-industries/zeta-2.1", EditForm.ZETA21),
        ("mercury-edit-2", EditForm.MERCURY),
        ("nate/instinct", EditForm.INSTINCT),
        ("instinct-Q4_K_M.gguf", EditForm.INSTINCT),
        ("Qwen/Qwen2.5-Coder-7B", None),
        ("gazetabot", None),
        ("mercury-2", None),
        ("", None),
    ],
)
def test_a_models_name_shows_its_format(model: str, form: EditForm | None) -> None:
    found = edit_format(EditForm.AUTO, model)
    assert (found and found.form) == form


def test_each_form_can_be_named() -> None:
    assert {each.form for each in FORMATS} | {EditForm.AUTO} == set(EditForm)
    for form in FORMATS:
        assert edit_format(form.form, "anything") is form


# --- special tokens in the user's text ------------------------------------------------------------------------------

TOKENS = [
    *("<|file_sep|>", "<|editable_region_start|>", "<|user_cursor_is_here|>", "<|user_cursor|>", "<|cursor|>"),
    *("<|marker_1|>", "<|marker-2|>", "<[fim-middle]>", "<[end▁of▁sentence]>", "<|/code_to_edit|>", "<|im_end|>"),
    *("<filename>", "<<<<<<< CURRENT", "=======", ">>>>>>> UPDATED", "</s>"),
]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.form.value)
def test_control_tokens_in_the_users_text_stay_text(form: object, token: str) -> None:
    """In each part of a request it is no token; an answer that repeats the region changes nothing."""
    region = f"a = 1\n{token}\nb = 2\n"
    request = replace(
        REQUEST,
        path=f"{token}.py",
        before=f"{token}\n",
        region=region,
        after=f"{token}\n",
        cursor=len(region),
        earlier=f"{token}\n",
        history=(PastEdit(token, 0, f"{token}\n", f"{token}{token}\n"),),
        related=(RelatedText(f"{token}.py", f"{token}\n"),),
    )
    plain = replace(
        request,
        path="x.py",
        before="-\n",
        region="a = 1\n-\nb = 2\n",
        after="-\n",
        cursor=len("a = 1\n-\nb = 2\n"),
        earlier="-\n",
        history=(PastEdit("x", 0, "-\n", "--\n"),),
        related=(RelatedText("x.py", "-\n"),),
    )
    asked = quoted_request(request)
    whole = token == "======="  # a token only as a whole line

    def count(asked: EditRequest) -> int:
        lines = form.prompt(asked).split("\n")  # type: ignore[attr-defined]
        return sum(line == token if whole else line.count(token) for line in lines)

    assert count(asked) == count(plain)  # as often as the format itself writes it
    assert unquoted(asked.region, region) == region
    assert unquoted(asked.region.replace("b = 2", "b = 3"), region) == region.replace("b = 2", "b = 3")
    more = "\n" if whole else " again\n"
    assert unquoted(asked.region + quoted(token) + more, region) == region + token + more


@given(
    st.lists(
        st.sampled_from([*TOKENS, *MARKS[:40], "<", "|", "< |file_sep|>", "= ======", "a", " ", "\n"]), max_size=14
    ).map("".join)
)
def test_an_unchanged_region_in_the_answer_is_no_edit(region: str) -> None:
    assert unquoted(quoted(region), region) == region


@given(
    st.lists(st.sampled_from([*TOKENS, "a", "\n", "<"]), max_size=8).map("".join),
    st.data(),
)
def test_the_cursor_stays_at_its_place(region: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(region)))
    asked = quoted_request(replace(REQUEST, region=region, cursor=cursor))
    # Without the blanks that were put in (no text here has one) the same stands before it.
    assert asked.region[: asked.cursor].replace(" CURRENT", "CURRENT").replace(" UPDATED", "UPDATED").replace(
        " ", ""
    ) == region[:cursor].replace(" ", "")
