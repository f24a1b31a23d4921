"""The reward of what is shown, in keys that the user need not press. Pure functions, for replays, training and gates.

The factors are those that Cursor published for its Tab: an accept is worth 0.75, a refusal -0.25, and silence 0. Both
are scaled by the effort that an accept saves. So showing is worth more than silence exactly if an accept is more likely
than one in four, however long the suggestion is.
"""

from __future__ import annotations

from tabspec.text import Edit

ACCEPTED = 0.75
REFUSED = -0.25


def reward(accepted: bool, saved: int) -> float:
    """The reward of a suggestion that was shown, and then accepted or refused. ``saved``: see `saved_keys`."""
    return (ACCEPTED if accepted else REFUSED) * saved


def expected_reward(probability: float, saved: int = 1) -> float:
    """The mean reward of showing a suggestion that is accepted with this probability."""
    return probability * reward(True, saved) + (1 - probability) * reward(False, saved)


def saved_keys(change: Edit, moves: bool = False) -> int:
    """The keys that an accept of ``change`` saves: its effort, without the Tab. Never negative."""
    return max(effort(change, moves) - 1, 0)


def effort(change: Edit, moves: bool) -> int:
    """The keys that a person presses to make ``change``: one a character, one to delete what was there, and one to move
    the cursor there if it ``moves``."""
    return len(change.insert) + (change.delete > 0) + moves
