"""Measures of a replay with next edits: the edits, the effort, and how many Tabs in a row were instant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EditResult:
    """Next edits of a run. ``jumps`` are accepted ones away from the cursor, ``quiet`` the requests at which none was
    shown, ``refused`` those shown that the recording never makes, ``reverted`` the accepted ones that it undoes,
    ``elsewhere`` the accepted ones in another document."""

    shown: int = 0
    accepted: int = 0
    jumps: int = 0
    quiet: int = 0
    reverted: int = 0
    refused: int = 0
    elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Effort:
    """What the user did, and what Tab did in its place. Both are counted in keys: one for each character typed, each
    deletion, each move of the cursor and each Tab."""

    keys: int = 0
    saved: int = 0


@dataclass(frozen=True, slots=True)
class DepthResult:
    """The Tabs that were number ``depth`` in a row: after ``instant`` of them the next suggestion was there at once,
    after ``silent`` of them there was none."""

    depth: int
    tabs: int
    instant: int
    silent: int = 0
