"""Past edits as unified diffs, without lines of context: the history keeps whole lines that changed."""

from __future__ import annotations

from tabspec.models.edit_protocol import PastEdit


def hunk(edit: PastEdit) -> str:
    """The edit as one hunk. Each of its lines ends with a line end."""
    old, new = _lines(edit.old), _lines(edit.new)
    head = f"@@ -{_range(edit.line, old)} +{_range(edit.line, new)} @@\n"
    return head + "".join(f"-{line}\n" for line in old) + "".join(f"+{line}\n" for line in new)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _range(line: int, lines: list[str]) -> str:
    """Where no line is, a diff names the line before."""
    return f"{line + bool(lines)},{len(lines)}"


def ended(text: str) -> str:
    """The text with a line end after its last line."""
    return text if not text or text.endswith("\n") else text + "\n"
