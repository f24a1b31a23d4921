"""Sweep Next-Edit (`sweepai/sweep-next-edit-*`, made from Qwen2.5-Coder).

Files stand one after another, each after ``<|file_sep|>`` and its path: other files, this one as it was before the last
edits, these as ``original:`` and ``updated:``, the region before them (``original/``), as it is now (``current/``), and
the beginning of what the model writes (``updated/``). Along a chain of edits the first of these stay, so that a server
has them in its KV cache. The model knows no cursor; the region is 10 lines above and below it.

Source: Sweep's own local server (the package sweep-autocomplete 0.1.1, Apache-2.0, of which no code is used here):
order, line numbers, six edits, and the file before the edits. Its numbers of the region are counted from the cursor's
line within it. Each of its edits has a line of context on both sides, which the history does not keep; its region is 2
lines above and 5 below the cursor. Zed (crates/edit_prediction/src/sweep_prompt.rs) and cursortab.nvim
(server/provider/sweep) have 10 and 10. Looked up on 2026-11-29.
"""

from __future__ import annotations

from tabspec.edits.step import lines_of
from tabspec.models.edit_protocol import EditRequest, PastEdit, RegionSize
from tabspec.models.http.edits.answers import aligned, up_to
from tabspec.models.http.edits.past_edits import ended, undone

NAMES = r"sweep.*next-?edit"
# Edits that are taken back in the file: more than most chains have, and no more text than two windows of the model.
REGION = RegionSize(10, 10, steps=24, past_chars=6000)
STOP = ("<|file_sep|>", "<|endoftext|>", "</s>")
_MOST_PAST = 6


def prompt(request: EditRequest) -> str:
    """The prompt up to where the model begins to write."""
    path = request.path
    file, original = undone(request)
    at = request.region.count("\n", 0, request.cursor) + 1
    lines = f"{at}:{at + len(lines_of(request.region))}"
    files = (
        *((each.path, each.text) for each in request.related),
        (path, f"{ended(file)}\n"),
        *map(_past, request.history[-_MOST_PAST:]),
        (f"original/{path}:{lines}", original),
        (f"current/{path}:{lines}", request.region),
        (f"updated/{path}:{lines}", ""),
    )
    return "".join(f"<|file_sep|>{name}\n{ended(text)}" for name, text in files)


def _past(edit: PastEdit) -> tuple[str, str]:
    last = edit.line + max(len(lines_of(edit.new)), 1)
    return f"{edit.path}:{edit.line + 1}:{last}", f"original:\n{ended(edit.old)}updated:\n{ended(edit.new)}"


def read(answer: str, request: EditRequest) -> str | None:
    """The region's new text; None: nothing is to be changed."""
    text = up_to(answer)
    return aligned(text, request.region) if text.strip() else None
