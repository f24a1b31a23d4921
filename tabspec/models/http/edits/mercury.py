"""Mercury's shape (`mercury-edit`, hosted by Inception): one message of tagged parts, answered as a chat does.

Source: cursortab.nvim (server/provider/mercuryapi) and Continue (core/nextEdit), looked up on 2026-11-29. The region
there has about 450 characters.
"""

from __future__ import annotations

from tabspec.models.edit_protocol import EditRequest, RegionSize
from tabspec.models.http.edits.answers import aligned, without_fence
from tabspec.models.http.edits.past_edits import ended, hunk

NAMES = r"mercury-(?:edit|coder)"
REGION = RegionSize(5, 5)
STOP = ()
_CURSOR = "<|cursor|>"
_START, _END = "<|code_to_edit|>", "<|/code_to_edit|>"


def prompt(request: EditRequest) -> str:
    """The message."""
    snippets = "".join(
        _tagged("recently_viewed_code_snippet", f"code_snippet_file_path: {each.path}\n{each.text}")
        for each in request.related
    )
    region = f"{_START}\n{ended(request.with_cursor(_CURSOR))}{_END}\n"
    content = f"current_file_path: {request.path}\n{request.before}{region}{request.after}"
    past = "".join(f"--- {edit.path}\n+++ {edit.path}\n{hunk(edit)}\n" for edit in request.history)
    return "\n".join(
        (
            _tagged("recently_viewed_code_snippets", snippets),
            _tagged("current_file_content", content),
            _tagged("edit_diff_history", past),
        )
    )


def _tagged(name: str, text: str) -> str:
    return f"<|{name}|>\n{ended(text)}<|/{name}|>\n"


def read(answer: str, request: EditRequest) -> str | None:
    """The region's new text; None: nothing is to be changed."""
    text = without_fence(answer)
    if _START in text:
        text = text.partition(_START)[2].partition(_END)[0].removeprefix("\n")
    text = text.replace(_CURSOR, "")
    return aligned(text, request.region) if text.strip() else None
