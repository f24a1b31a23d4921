"""Instinct (Continue's, made from Qwen2.5-Coder-7B): a chat in ChatML, whose answer is the region's new text.

Source: Continue's core/nextEdit (templating, constants), looked up on 2026-11-29: the parts, their order, marks and
headings; past edits the newest first; one line above the cursor and five below it. The instructions are in our own
words; the model was trained with others.
"""

from __future__ import annotations

from tabspec.models.edit_protocol import EditRequest, RegionSize
from tabspec.models.http.edits.answers import aligned, up_to, without_fence
from tabspec.models.http.edits.past_edits import ended, hunk

NAMES = r"(?:^|[/_-])instinct"
REGION = RegionSize(1, 5)
STOP = ("<|im_end|>",)
_START, _END = "<|editable_region_start|>", "<|editable_region_end|>"
_CURSOR = "<|user_cursor_is_here|>"
_SYSTEM = (
    f"You are Instinct, and predict a developer's next edit. It lies between {_START} and {_END}. You are given parts "
    "of other files (### Context), the latest changes, the newest first (### User Edits), and an excerpt of the "
    f"current file (### User Excerpt), in which {_CURSOR} is the cursor. Write the new code between the two marks, and "
    "nothing else: no marks, and no code from around them. Keep the style. Do not take back the last change."
)
_TASK = "Rewrite the editable region of the excerpt as the developer would do next."


def prompt(request: EditRequest) -> str:
    """The chat up to where the model begins to write."""
    context = "\n".join(f"<|context_file|>: {each.path}\n<|snippet|>\n{each.text}" for each in request.related)
    edits = "\n".join(f'User edited file "{edit.path}"\n\n```diff\n{hunk(edit)}```' for edit in request.history[::-1])
    region = f"{_START}\n{ended(request.with_cursor(_CURSOR))}{_END}\n"
    excerpt = f"{request.before}{region}{ended(request.after)}"
    user = (
        f"{_TASK}\n\n### Context:\n{context}\n\n### User Edits:\n\n{edits}\n\n"
        f"### User Excerpt:\n{request.path}\n\n{excerpt}```\n### Response:"
    )
    return f"<|im_start|>system\n{_SYSTEM}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def read(answer: str, request: EditRequest) -> str | None:
    """The region's new text; None: nothing is to be changed."""
    text = without_fence(up_to(answer))
    if _START in text:
        text = text.partition(_START)[2].removeprefix("\n")
    text = text.partition(_END)[0].replace(_CURSOR, "")
    return aligned(text, request.region) if text.strip() else None
