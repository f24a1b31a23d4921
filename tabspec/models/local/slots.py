"""KV slots: which token prefixes a decoder still holds keys and values for.

A slot keeps one sequence. Foreground requests and speculations alternate, each with its own prompt. A new prompt goes
to the slot that holds most of what it needs, or to the one unused for longest. Speculation never overwrites what a
foreground request has computed; it only appends to it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tabspec.text import common_prefix

if TYPE_CHECKING:
    from tabspec.models.local.logits import Logits


class Decoder(Protocol):
    """The forward passes of a causal language model. KV caches are objects of the implementation."""

    @property
    def context(self) -> int:
        """Positions that a sequence may have."""
        ...

    def new_kv(self) -> Any:
        """An empty KV cache."""
        ...

    def forward(self, kv: Any, tokens: Sequence[int], want: int) -> Logits:
        """Run ``tokens`` after the positions in ``kv``; return the logits after the last ``want`` of them.

        Shape (want, vocabulary); the array belongs to the caller. Entry [i] is for the token that follows
        tokens[len(tokens) - want + i].
        """
        ...

    def truncate(self, kv: Any, length: int) -> None:
        """Forget all positions from ``length`` on."""
        ...

    def copy(self, source: Any, target: Any, length: int) -> None:
        """Make ``target`` hold the first ``length`` positions of ``source`` and no others."""
        ...


# Sequences that a decoder decodes in one pass. On two cores, four cost 1.7 times one (25M parameters, int8), and one
# user hardly ever has more futures that are worth asking for.
SEQUENCES = 4


def sequences_of(decoder: Decoder) -> int:
    """How many sequences ``decoder`` takes into one pass. More than one if it has ``forward_batch(batch, want)``, which
    takes pairs of a KV cache and tokens, and returns a list of what `Decoder.forward` would return for each."""
    return SEQUENCES if hasattr(decoder, "forward_batch") else 1


@dataclass(frozen=True, slots=True)
class RowCost:
    """The marginal cost of a row, as a share of a pass of one row; and up to how many rows that holds."""

    share: float = 0.1
    rows: int = 4


def row_cost_of(decoder: Decoder) -> RowCost:
    """The decoder's own ``row_cost``, else that of our decoder in torch with int8 weights: four rows take 1.3 times as
    long as one (25M parameters, two cores)."""
    cost = getattr(decoder, "row_cost", RowCost())
    assert isinstance(cost, RowCost)
    return cost


class Choice(NamedTuple):
    """A token that was chosen while ``rest`` of the forced text was left (empty: freely), with its log-probability
    (natural logarithm) among the tokens that agree. ``ngrams`` is the key of the n-gram cache in use."""

    token: int
    rest: bytes
    logprob: float
    ngrams: int = 0


@dataclass(eq=False)
class Slot:
    """A sequence whose keys and values are kept. ``choices[i]`` is the choice of token i (None: it was part of a
    prompt, or a guess). The last ``ahead`` tokens were run and not chosen by the last request: they are guesses beyond
    its end. ``rows`` are the logits after the last tokens, (n, vocabulary), as far as they are known."""

    kv: Any
    tokens: array[int] = field(default_factory=lambda: array("I"))
    choices: list[Choice | None] = field(default_factory=list)
    rows: Logits | None = None
    ahead: int = 0
    used: int = 0
    busy: bool = False
    foreground: bool = True  # a foreground request computed it or its beginning, and its user is still there

    def shared(self, tokens: array[int]) -> int:
        """Length of the longest common prefix with ``tokens``."""
        return common_prefix(self.tokens, tokens)

    def truncate(self, decoder: Decoder, length: int) -> None:
        """Forget all positions from ``length`` on."""
        forgotten = len(self.tokens) - length
        if forgotten > 0:
            decoder.truncate(self.kv, length)
            del self.tokens[length:], self.choices[length:]
            self.rows = self.rows[:-forgotten] if self.rows is not None and len(self.rows) > forgotten else None
            self.ahead = max(self.ahead - forgotten, 0)

    def logits(self, length: int) -> Logits | None:
        """Those after the first ``length`` tokens, and after each later token; None if they are not known."""
        count = len(self.tokens) - length + 1
        return None if self.rows is None or len(self.rows) < count else self.rows[-count:]

    def own_rows(self) -> None:
        """Copy the last rows, so that the whole pass that they are a part of can be freed."""
        if self.rows is not None and (self.rows.base is not None or len(self.rows) > _ROWS):
            self.rows = self.rows[-_ROWS:].copy()


# Rows of logits that a slot keeps: more than a draft has. A pass that verifies a whole line has one row for each token,
# and its request may be cancelled after it.
_ROWS = 16

CountHolding = Callable[[Sequence[Choice | None]], int]


class _SlotFit(NamedTuple):
    """What a slot is worth to a prompt, in tokens: ``shared`` with it, ``useful`` (these, and what was chosen after the
    whole prompt and holds), ``lost`` if the prompt continues there. ``whole``: it holds all of the prompt."""

    slot: Slot
    shared: int
    useful: int
    lost: int
    whole: bool

    @classmethod
    def of(cls, slot: Slot, prompt: array[int], holding: CountHolding) -> _SlotFit:
        shared = slot.shared(prompt)
        whole = shared == len(prompt)
        useful = shared + (holding(slot.choices[shared:]) if whole else 0)
        return cls(slot, shared, useful, len(slot.tokens) - slot.ahead - useful, whole)

    def rank(self) -> tuple[int, int]:
        """The more useful first, of equals the one used last."""
        return self.useful, self.slot.used

    def can_continue(self, foreground: bool, affordable: int) -> bool:
        """Whether a prompt may continue in this slot. Speculation must not lose what a request waited for; and no more
        than ``affordable`` tokens may be lost, unless all of the prompt is here."""
        takes = self.lost > 0 and self.slot.foreground and not foreground
        return not self.slot.busy and not takes and (self.whole or self.lost <= affordable)


class Slots:
    """At least one and at most ``count`` slots at rest; while more streams run at a time, there are more.

    Speculation leaves all but ``speculative`` of them to the latest foreground prompts. ``per_token`` is how many items
    of a sequence are a token: more than 1 in a replay, which keeps characters.
    """

    def __init__(self, decoder: Decoder, count: int = 4, per_token: int = 1, speculative: int = 1) -> None:
        self._decoder, self._count, self._speculative, self._clock = decoder, count, speculative, 0
        self._cheap, self._cheaper_than_a_slot = _CHEAP * per_token, _CHEAPER_THAN_A_SLOT * per_token
        self._slots: list[Slot] = []

    @contextmanager
    def hold(
        self, prompt: array[int], foreground: bool = True, holding: CountHolding = lambda choices: 0
    ) -> Iterator[Slot]:
        """A slot for ``prompt`` alone. It holds the longest prefix of the prompt that is there, or more.

        ``holding`` gets the choices that were made after the whole prompt, and returns how many of them hold for this
        request.
        """
        slot = self._choose(prompt, foreground, holding)
        slot.busy = True
        try:
            yield slot
        finally:
            slot.busy = False
            slot.own_rows()
            self._clock += 1
            slot.used = self._clock
            self._trim()

    def keep(self, count: int) -> None:
        """From now on, keep so many slots at rest."""
        self._count = count
        self._trim()

    def all(self) -> tuple[Slot, ...]:
        """The slots there are."""
        return tuple(self._slots)

    def free(self) -> None:
        """Forget what no stream is using."""
        self._slots = [slot for slot in self._slots if slot.busy]

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()

    def _choose(self, prompt: array[int], foreground: bool, holding: CountHolding) -> Slot:
        """Continue in the slot that holds most of what the prompt needs; else overwrite a slot, and copy the most
        useful prefix into it."""
        candidates = [_SlotFit.of(slot, prompt, holding) for slot in self._slots]
        if foreground:
            self._moved_on(candidates)
        best = max(candidates, key=_SlotFit.rank, default=None)
        # Continuing in another prompt's slot loses what it holds after the shared part.
        affordable = self._cheap if len(self._slots) < self._count else self._cheaper_than_a_slot
        fit = [
            each
            for each in candidates
            if each.can_continue(foreground, affordable)
            and best is not None
            and best.useful - each.useful <= self._cheap
        ]
        if fit:
            target = max(fit, key=_SlotFit.rank).slot
            target.foreground |= foreground
            return target
        target = self._taken_over(foreground)
        target.foreground = foreground
        there = next((each.useful for each in candidates if each.slot is target), 0)
        if best and best.slot is not target and best.useful > there:
            source, length = best.slot, best.useful
            self._decoder.copy(source.kv, target.kv, length)
            target.tokens, target.choices = source.tokens[:length], source.choices[:length]
            target.rows, target.ahead = None, 0
        return target

    def _taken_over(self, foreground: bool) -> Slot:
        """A new slot while there may be more, or all are busy; else the one unused for longest that may be lost."""
        free = [slot for slot in self._slots if not slot.busy]
        if len(self._slots) < self._count or not free:
            self._slots.append(new := Slot(self._decoder.new_kv()))
            return new
        return min(self._to_lose(free, foreground), key=lambda slot: slot.used)

    def _moved_on(self, candidates: Sequence[_SlotFit]) -> None:
        """Release slots of the same user's earlier places: those that hold nearly a beginning of a foreground
        prompt."""
        for each in candidates:
            each.slot.foreground &= len(each.slot.tokens) - each.shared > self._cheaper_than_a_slot

    def _to_lose(self, free: list[Slot], foreground: bool) -> list[Slot]:
        """Those of ``free`` that a new prompt may overwrite."""
        waited_for = sorted((slot for slot in free if slot.foreground), key=lambda slot: slot.used, reverse=True)
        kept = [] if foreground else waited_for[: self._count - self._speculative]
        return [slot for slot in free if slot not in kept] or free

    def _trim(self) -> None:
        for _ in range(len(self._slots) - self._count):
            if free := [slot for slot in self._slots if not slot.busy]:
                self._slots.remove(min(self._to_lose(free, False), key=lambda slot: slot.used))


# Tokens. Running eight of them costs less than copying a whole prefix of keys and values.
_CHEAP = 8
# The limit if a copy would overwrite another slot's whole prompt, which has hundreds of tokens: about a suggestion and
# the speculation after it.
_CHEAPER_THAN_A_SLOT = 64
