"""How long a decoder takes for a completion, measured here and now."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from tabspec.models.local.slots import Decoder

# Of the completions of a recorded session (Rust, 190 requests), nine in ten compute no more than so many tokens of the
# prompt (the rest is kept), and take no more passes.
PROMPT, STEPS = 22, 10
# Another program may take the processor at any moment: the fastest of so many counts. The first one also warms up.
ROUNDS = 3


def completion_ms(decoder: Decoder, most: float, clock: Callable[[], float] = perf_counter) -> float:
    """Milliseconds for `PROMPT` tokens of a prompt and `STEPS` steps.

    A round ends when it has taken longer than ``most``, so that measuring takes no seconds on a slow processor.
    """
    return min(_once(decoder, most, clock) for _ in range(ROUNDS))


def _once(decoder: Decoder, most: float, clock: Callable[[], float]) -> float:
    kv, began = decoder.new_kv(), clock()
    took = 0.0
    # The time does not depend on which tokens they are.
    for tokens in ([0] * PROMPT, *([0] for _ in range(STEPS))):
        decoder.forward(kv, tokens, 1)
        took = (clock() - began) * 1000
        if took > most:
            break
    return took
