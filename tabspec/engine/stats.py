"""What the engine counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tabspec.models.protocol import Usage
from tabspec.suggestion import Answer, Reason, Source

OVERTAKEN = "overtaken"
"""The kind of tokens decoded for a request that was superseded or cancelled: its answer may still be of use."""


@dataclass
class KindStats:
    """Speculations of one kind: how many were started and used, and how many tokens were decoded and used."""

    asked: int = 0
    tokens: int = 0
    used: int = 0
    used_tokens: int = 0


@dataclass
class EngineStats:
    """Counters since the engine was made. Tokens are the model's.

    A token is speculative if no request waited for its generation when it was decoded. It is used once a request was
    answered with the suggestion, or with the rest of it.
    """

    sources: Counter[Source] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    usage: Usage = Usage()
    kinds: defaultdict[str, KindStats] = field(default_factory=lambda: defaultdict(KindStats))
    shown: int = 0
    accepted: int = 0
    rejected: int = 0

    @property
    def requests(self) -> int:
        return self.sources.total()

    @property
    def speculative_tokens(self) -> int:
        return sum(kind.tokens for kind in self.kinds.values())

    @property
    def speculative_used(self) -> int:
        return sum(kind.used_tokens for kind in self.kinds.values())

    @property
    def speculative_unused(self) -> int:
        return self.speculative_tokens - self.speculative_used

    @property
    def hit_rate(self) -> float:
        """Of the requests answered with a suggestion, the share that did not wait for the model."""
        answered = self.requests - self.sources[Source.NONE]
        instant = self.sources[Source.EXACT] + self.sources[Source.TYPE_THROUGH] + self.sources[Source.SPECULATED]
        return instant / answered if answered else 0.0

    def count(self, answer: Answer) -> None:
        """Count one ended request."""
        self.sources[answer.source] += 1
        if answer.reason is not None:
            self.reasons[answer.reason] += 1
