"""A predictor that is never wrong: of a simulated user it is known which suggestions it will take.

What a policy reaches with it is the bound of all that ask ahead of accepts, with this model on this scheduler.
"""

from __future__ import annotations

from copy import copy

from tabspec.context import EditContext
from tabspec.engine.generation import Link
from tabspec.replay.users.user import Player


class OraclePredictor:
    """Stands in for an `Acceptance`, and asks the user ``player`` instead of guessing."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._future: list[Player] = []  # the user at each place that accepts ahead of the screen lead to

    def probability(self, link: Link, follows_accept: bool = False) -> float:
        """1 if the user will take this suggestion, else 0. The states before it on its way must have been asked for."""
        at = self._at(link.context)
        if at is None:
            return 0.0
        player = copy(at)
        if player.offer(link.suggestion, 0.0) is None:
            return 0.0
        player.accept()
        self._future.append(player)
        return 1.0

    def again(self) -> float:
        return 1.0

    def observe(self, link: Link, accepted: bool, follows_accept: bool = False) -> None:
        """Nothing is to be learned. The screen has changed, and with it what lies ahead."""
        self._future.clear()

    def _at(self, context: EditContext) -> Player | None:
        """The user at ``context``: now, or after accepts that were foreseen."""
        if self._player.context.same_place(context):
            self._future.clear()
            return self._player
        return next((each for each in reversed(self._future) if each.context.same_place(context)), None)
