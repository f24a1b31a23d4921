"""Measuring a model before a replay, so that the virtual clock charges every policy the same.

Answers are remembered from policy to policy (`tabspec.replay.models.memo`), so their computing time cannot be: it is
measured once, on requests of the session itself, and a profile fitted to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing

from tabspec.context import EditContext
from tabspec.engine.prompt_state import PromptState
from tabspec.errors import InputError
from tabspec.models.protocol import GenerationRequest, Model, StopRule
from tabspec.prompt.window import WindowSize
from tabspec.replay.models.latency import LatencyProfile, TimedModel, fit_profile
from tabspec.replay.sessions.session import Session
from tabspec.replay.users.user import Player, User

# Places of the session that are asked at. Each gives a cold prefill, one after a keystroke, and up to 16 decode steps:
# with 16 places, medians of some 200 steps; half a minute at worst for a model that needs 100 ms a token.
PLACES = 16
_DECODED = 16


async def calibrate(model: Model, session: Session, machine: str = "") -> LatencyProfile:
    """The latency profile of ``model``, measured on requests that replaying ``session`` makes.

    Raises `InputError` if the session has no edits to ask after.
    """
    timed = TimedModel(model)
    first = True
    for request in session_requests(session, model.info.fingerprint):
        async with aclosing(timed.stream(request)) as chunks:
            async for _ in chunks:
                pass
        if first:  # the first one warms things up: pages, threads, kernels
            timed.samples.clear()
            first = False
    if not timed.samples:
        raise InputError(f"{session.name or 'session'}: no edits to measure the model on; give --latency")
    return fit_profile(timed.samples, model.info.name, machine)


def session_requests(
    session: Session,
    fingerprint: str,
    stop: StopRule = StopRule(max_tokens=_DECODED),  # noqa: B008 (frozen)
) -> Iterator[GenerationRequest]:
    """Requests as an engine makes them at `session_places`."""
    for context in session_places(session):
        yield PromptState.of(context, WindowSize(), fingerprint).request(stop)


def session_places(session: Session) -> Iterator[EditContext]:
    """Places spread over the session: each after an edit and after the next."""
    player = Player(session, User.TYPE)
    every = max(len(session.edits) // PLACES, 2)
    number = 0
    while not player.done:
        step = player.perform()
        if not step.edits:
            continue
        if number % every < 2 and number // every < PLACES:
            yield player.context
        number += 1
