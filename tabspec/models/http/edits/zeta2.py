"""Zeta 2 (`zed-industries/zeta-2`, made from Seed-Coder-8B), and what Zeta 2.1 has in common with it.

Seed-Coder fills in the middle with the suffix first. The prefix holds other files, past edits as one file of diffs, and
the excerpt, in which the region stands between the lines of a merge conflict.

Source: Zed's crates/zeta_prompt (format V0211SeedCoder) and cursortab.nvim (server/provider/zeta2), looked up on
2026-11-29.
"""

from __future__ import annotations

from tabspec.models.edit_protocol import EditRequest, RegionSize
from tabspec.models.http.edits.answers import aligned, up_to
from tabspec.models.http.edits.past_edits import ended, hunk

NAMES = r"zeta-?2"
REGION = RegionSize(15, 15)
CURSOR = "<|user_cursor|>"
_CURRENT, _MIDDLE, _UPDATED = "<<<<<<< CURRENT\n", "=======\n", ">>>>>>> UPDATED"
_NOTHING = "NO_EDITS"
STOP = (_UPDATED,)


def prompt(request: EditRequest) -> str:
    """The prompt up to where the model begins to write."""
    return around(request, f"{_CURRENT}{ended(request.with_cursor(CURSOR))}{_MIDDLE}")


def around(request: EditRequest, region: str) -> str:
    """The prompt with ``region`` as the excerpt's region is written."""
    files = [(each.path, ended(each.text)) for each in request.related]
    if request.history:
        files.append(
            ("edit_history", "".join(_past(edit.path, edit.accepted) + hunk(edit) for edit in request.history))
        )
    before = "".join(f"<filename>{path}\n{text}\n" for path, text in files)
    excerpt = f"<filename>{request.path}\n{request.before}{region}"
    after = ended(request.after) or "\n"
    return f"<[fim-suffix]>{after}<[fim-prefix]>{before}{excerpt}<[fim-middle]>"


def _past(path: str, accepted: bool) -> str:
    head = "// User accepted prediction:\n" if accepted else ""
    return f"{head}--- a/{path}\n+++ b/{path}\n"


def read(answer: str, request: EditRequest) -> str | None:
    """The region's new text; None: nothing is to be changed."""
    text = up_to(answer, STOP)
    if not text.strip() or text.strip().startswith(_NOTHING):
        return None
    return aligned(without_cursor(text), request.region)


def without_cursor(text: str) -> str:
    """The text without the mark of the cursor. A line of nothing else goes with it."""
    lines = text.split("\n")
    kept = (line for line in lines if CURSOR not in line or line.replace(CURSOR, "").strip())
    return "\n".join(line.replace(CURSOR, "") for line in kept)
