"""What is learned from a person's sessions: what was typed at each place, given the text around it."""

from __future__ import annotations

from collections.abc import Iterable

from tabspec.engine.prompt_state import base_name
from tabspec.models.http.secrets import find_secret
from tabspec.replay.sessions.session import Session
from tabspec.train.examples.fim import Example, Order
from tabspec.train.mine.bursts import Burst, bursts

# Characters before and after a place: a quarter of what a request has, because a step takes time in proportion. What a
# person writes depends mostly on the nearest lines.
BEFORE, AFTER = 500, 200


def typed(sessions: Iterable[Session]) -> list[Example]:
    """An example for each burst, in order. Those that hold a part of what looks like a secret are left out."""
    found = (_of_burst(burst, base_name(session.uri)) for session in sessions for burst in bursts(session))
    return [example for example in found if example]


def _of_burst(burst: Burst, name: str) -> Example | None:
    before, after = burst.before[-BEFORE:], burst.after[:AFTER]
    if len(burst.before) > BEFORE and 0 <= (line := before.find("\n")) < BEFORE // 2:
        before = before[line + 1 :]  # as in requests, a window begins with a whole line
    outside = burst.before[: len(burst.before) - len(before)], burst.after[AFTER:]
    if find_secret(before + burst.text, after, before=outside[0], after=outside[1], name=name):
        return None
    return Example(Order.SUFFIX_FIRST, name, before, burst.text, after, finished=burst.finished)
