"""Measures a model before a replay, so that every policy is charged the same time for the same work.

Answers are memoized across policies (`tabspec.replay.models.memo`), so their time cannot be measured during a replay.
It is measured once before, on requests from the session, and a latency profile is fitted to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing

from tabspec.context import EditContext
from tabspec.engine.prompt_state import PromptState
from tabspec.errors import InputError
from tabspec.models.protocol import Model, StopRule
from tabspec.prompt.window import WindowSize
from tabspec.replay.models.latency import LatencyProfile, TimedModel, fit_profile
from tabspec.replay.sessions.session import Session
from tabspec.replay.users.user import Player, User

# Places of the session at which requests are made. Each yields a cold prefill, a prefill after one more edit, and up to
# 16 decode steps. 16 places give medians of about 200 steps, and take at most half a minute at 100 ms a token.
PLACES = 16
_DECODED = 16


async def measured_profile(model: Model, session: Session, machine: str = "") -> LatencyProfile:
    """The latency profile of ``model``, measured on requests as a replay of ``session`` makes them.

    Raises `InputError` if the session has no edits.
    """
    timed = TimedModel(model)
    first = True
    for context in session_places(session):
        request = PromptState.of(context, WindowSize(), model.info.fingerprint).request(StopRule(max_tokens=_DECODED))
        async with aclosing(timed.stream(request)) as chunks:
            async for _ in chunks:
                pass
        if first:  # the first request only warms up memory pages, threads and kernels
            timed.samples.clear()
            first = False
    if not timed.samples:
        raise InputError(f"{session.name or 'session'}: no edits to measure the model on; give --latency")
    return fit_profile(timed.samples, model.info.name, machine)


def session_places(session: Session) -> Iterator[EditContext]:
    """Pairs of places spread evenly over the session: after an edit, and after the next edit."""
    player = Player(session, User.TYPE)
    every = max(sum(len(part.edits) for part in session.parts) // PLACES, 2)
    number = 0
    while not player.done:
        step = player.perform()
        if not step.edits:
            continue
        if number % every < 2 and number // every < PLACES:
            yield player.context
        number += 1
