"""How speculations ended, to give the reason of a miss."""

from __future__ import annotations

from cachetools import LRUCache

from tabspec.cache.completion_cache import CompletionCache, Key
from tabspec.engine.generation import Generation, Question, State
from tabspec.suggestion import Miss

_MISSES = {State.DONE: Miss.EVICTED, State.CANCELLED: Miss.CANCELLED, State.FAILED: Miss.FAILED}


class SpeculationLog:
    """Remembers how the latest speculations ended. ``enabled``: whether the policy speculates. A miss is explained by
    what happened seconds ago: 1,024 speculations suffice."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._ends: LRUCache[Key, State] = LRUCache(1024)

    def ended(self, generation: Generation) -> None:
        """A speculation has ended."""
        self._ends[_key(generation.question)] = generation.state

    def miss(self, question: Question, joined: bool, queued: bool) -> Miss:
        """Why a request has to wait. It has ``joined`` a generation, which was ``queued`` or running, or it has started
        its own."""
        if not self._enabled:
            return Miss.NOT_SPECULATED
        if joined:
            return Miss.MODEL_BUSY if queued else Miss.NO_TIME
        state = self._ends.get(_key(question))
        return Miss.NOT_PREDICTED if state is None else _MISSES[state]


def _key(question: Question) -> Key:
    return CompletionCache.key(question.context, question.scope)
