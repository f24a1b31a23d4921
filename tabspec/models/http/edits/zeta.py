"""Zeta 1 (`zed-industries/zeta`, made from Qwen2.5-Coder-7B).

An instruction, past edits as fenced diffs, and a fenced excerpt of the file. Two marks stand around the region, a third
at the cursor. The answer repeats the region's marks.

Source: cursortab.nvim (server/provider/zeta), and servers that others have built for Zed's client, looked up on
2026-11-29. The instruction is in our own words; the model was trained with others.
"""

from __future__ import annotations

from tabspec.models.edit_protocol import EditRequest, RegionSize
from tabspec.models.http.edits.answers import aligned, up_to
from tabspec.models.http.edits.past_edits import ended, hunk

NAMES = r"(?:^|[/_-])zeta(?![a-z0-9])"
REGION = RegionSize(10, 10)
_START, _END = "<|editable_region_start|>", "<|editable_region_end|>"
_CURSOR, _FILE = "<|user_cursor_is_here|>", "<|start_of_file|>"
STOP = (_END,)
_INSTRUCTION = (
    "You complete code. Read the user's edits, then rewrite the editable region of the excerpt with the edits that "
    "fit next. Mind where the cursor is."
)


def prompt(request: EditRequest) -> str:
    """The prompt up to where the model begins to write."""
    edits = "\n\n".join(f'User edited "{edit.path}":\n```diff\n{hunk(edit)}```' for edit in request.history)
    begin = f"{_FILE}\n" if request.starts_file else ""
    region = f"{_START}\n{ended(request.with_cursor(_CURSOR))}{_END}\n"
    excerpt = f"```{request.path}\n{begin}{request.before}{region}{ended(request.after)}```"
    return (
        f"### Instruction:\n{_INSTRUCTION}\n\n### User Edits:\n\n{edits}\n\n"
        f"### User Excerpt:\n\n{excerpt}\n\n### Response:\n"
    )


def read(answer: str, request: EditRequest) -> str | None:
    """The region's new text; None: nothing is to be changed, or the answer has no region."""
    _, start, text = answer.partition(_START)
    if not start:
        return None
    text = up_to(text, STOP).removeprefix("\n").replace(_CURSOR, "")
    return aligned(text, request.region) if text.strip() else None
