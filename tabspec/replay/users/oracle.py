"""A predictor that is never wrong, because it can look into the future of a simulated user.

A policy with it reaches the upper bound of all policies that speculate on accepts, with this model and this scheduler.
"""

from __future__ import annotations

from copy import copy

from tabspec.context import EditContext
from tabspec.engine.generation import Link
from tabspec.replay.users.user import Player


class OraclePredictor:
    """Has the interface of `Acceptance`, and knows the simulated user ``player``."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._future: list[Player] = []  # the user at each place that speculated accepts lead to

    def probability(self, link: Link, follows_accept: bool = False) -> float:
        """1 if the user will accept this suggestion, otherwise 0. A chain must be asked about in its order."""
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
        """There is nothing to learn. The screen has changed, so the speculated places are dropped."""
        self._future.clear()

    def _at(self, context: EditContext) -> Player | None:
        """The user at ``context``, now or after speculated accepts."""
        if self._player.context.same_place(context):
            self._future.clear()
            return self._player
        return next((each for each in reversed(self._future) if each.context.same_place(context)), None)
