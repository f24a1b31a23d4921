"""How long a decoder takes for a completion, measured here and now."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from tabspec.models.local.slots import Decoder
from tabspec.models.protocol import Usage

# Nine in ten completions of a recorded session (Rust, 190 requests) compute no more than so many tokens of the prompt
# (the rest is kept), and take no more passes.
TYPICAL = Usage(prefill=22, decoded=10)
# Another program may take the processor at any moment: the fastest of so many counts. The first one also warms up.
ROUNDS = 3
MOST_MS = 100.0
"""A completion may take so long: the limit for what feels immediate (Nielsen, Usability Engineering, 1993, chapter
5)."""


def completion_ms(decoder: Decoder, clock: Callable[[], float] = perf_counter) -> float:
    """Milliseconds for the tokens and steps of a `TYPICAL` completion. A round ends when it has taken longer than
    `MOST_MS`, so that measuring takes no seconds on a slow processor: then the figure is a lower bound."""
    return min(_once(decoder, clock) for _ in range(ROUNDS))


def _once(decoder: Decoder, clock: Callable[[], float]) -> float:
    kv, began = decoder.new_kv(), clock()
    took = 0.0
    # The time does not depend on which tokens they are.
    for tokens in ([0] * TYPICAL.prefill, *([0] for _ in range(TYPICAL.decoded))):
        decoder.forward(kv, tokens, 1)
        took = (clock() - began) * 1000
        if took > MOST_MS:
            break
    return took
