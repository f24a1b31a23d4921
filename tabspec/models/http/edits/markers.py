"""Zeta 2.1 (`zed-industries/zeta-2.1`, made from Seed-Coder-8B): as Zeta 2, but the answer holds only what changes.

Numbered marks stand at the borders of blocks of the region. The answer is one run of blocks: a mark, the new text, and
a later mark. The same mark twice means that nothing is to be changed.

Source: Zed's crates/zeta_prompt (format V0318SeedMultiRegions: blocks of 6 to 16 lines), looked up on 2026-11-29.
"""

from __future__ import annotations

import re

from tabspec.models.edit_protocol import EditRequest, RegionSize
from tabspec.models.http.edits.answers import up_to
from tabspec.models.http.edits.zeta2 import CURSOR, around, without_cursor

NAMES = r"zeta-?2[._]1(?![0-9])"
REGION = RegionSize(15, 15)
STOP = ("<[end▁of▁sentence]>",)
# A block has at least so many lines where a blank line ends it, and a longer one is cut.
_LEAST, _MOST = 6, 16
# Its first line is not blank and closes nothing. Such a line is looked for among so many.
_NUDGE = 5
_CLOSING = re.compile(r"[)}\]]|(?:break|continue|return|throw|end);*$")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_MARK = re.compile(r"<\|marker_(\d+)\|>")


def prompt(request: EditRequest) -> str:
    """The prompt up to where the model begins to write."""
    at, region = 0, ""
    for number, stop in enumerate(borders(request.region), 1):
        here = at < request.cursor <= stop or (request.cursor == 0 == at and number == 2)
        block = request.region[at:stop]
        if here:
            block = request.with_cursor(CURSOR)[at : stop + len(CURSOR)]
        region, at = f"{region}{block}<|marker_{number}|>", stop
    return around(request, region + "\n")


def borders(region: str) -> list[int]:
    """The offsets at which marks stand: the region's start, line starts in it, and its end."""
    lines = _LINES.findall(region)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    good = [bool(line.strip()) and not _CLOSING.match(line.strip()) for line in lines]
    found, since, at = [0], 0, 0
    while at < len(lines):
        blank = at > 0 and bool(lines[at].strip()) and not lines[at - 1].strip()
        start = next((near for near in range(at, min(at + _NUDGE, len(lines))) if good[near]), at)
        long = at - since >= _MOST
        if long or (blank and at - since >= _LEAST and len(lines) - start >= _LEAST):
            found.append(starts[start])
            since = at = start
        at += 1
    return [*found, len(region)] if found[-1] < len(region) or len(found) == 1 else found


def read(answer: str, request: EditRequest) -> str | None:
    """The region's new text; None: nothing is to be changed, or the marks do not fit the region."""
    answer = up_to(answer)
    marks = list(_MARK.finditer(answer))
    at = borders(request.region)
    if len(marks) < 2:
        return None
    first, last = int(marks[0][1]), int(marks[-1][1])
    if not 1 <= first < last <= len(at):
        return None
    text = without_cursor(_MARK.sub("", answer[marks[0].end() : marks[-1].start()]))
    return request.region[: at[first - 1]] + text + request.region[at[last - 1] :]
