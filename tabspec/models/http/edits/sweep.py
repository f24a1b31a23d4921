"""Sweep Next-Edit (`sweepai/sweep-next-edit-*`, made from Qwen2.5-Coder).

Files stand one after another, each after ``<|file_sep|>`` and its path: other files, this one, past edits as
``original:`` and ``updated:``, the region before the last edit (``original/``), as it is now (``current/``), and the
beginning of what the model writes (``updated/``). The model knows no cursor; the region is 10 lines above and below it.

Source: the format as two clients build it, looked up on 2026-11-29: Zed (crates/edit_prediction/src/sweep_prompt.rs),
and cursortab.nvim (server/provider/sweep). The second puts the file itself first, as here. It also writes line numbers,
a cursor and the beginning of the answer; Zed does not.
"""

from __future__ import annotations

from tabspec.models.edit_protocol import EditRequest, RegionSize
from tabspec.models.http.edits.answers import aligned, up_to
from tabspec.models.http.edits.diffs import ended

NAMES = r"sweep.*next-?edit"
REGION = RegionSize(10, 10)
STOP = ("<|file_sep|>", "<|endoftext|>", "</s>")
# The clients send at most so many.
_MOST_PAST = 3


def prompt(request: EditRequest) -> str:
    """The prompt up to where the model begins to write."""
    past = (
        (f"{edit.path}.diff", f"original:\n{ended(edit.old)}updated:\n{ended(edit.new)}")
        for edit in request.history[-_MOST_PAST:]
    )
    files = (
        *((each.path, each.text) for each in request.related),
        (request.path, request.before + request.region + request.after),
        *past,
        (f"original/{request.path}", request.earlier),
        (f"current/{request.path}", request.region),
        (f"updated/{request.path}", ""),
    )
    return "".join(f"<|file_sep|>{path}\n{ended(text)}" for path, text in files)


def read(answer: str, request: EditRequest) -> str | None:
    """The region's new text; None: nothing is to be changed."""
    text = up_to(answer)
    return aligned(text, request.region) if text.strip() else None
