"""Sessions of one recording as one session: of all documents that a person edited in one editor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, pairwise

from tabspec.errors import SessionError
from tabspec.replay.sessions.session import Session


def together(sessions: Sequence[Session]) -> list[Session]:
    """The sessions, those of one recording as one with `Session.others`. The one that begins first comes first in it.

    Raises `SessionError` if two of them record the same document at the same time.
    """
    groups: dict[str | int, list[Session]] = {}
    for number, session in enumerate(sessions):
        groups.setdefault(session.recording or number, []).append(session)
    return [_joined(group) if len(group) > 1 else group[0] for group in groups.values()]


def _joined(group: Sequence[Session]) -> Session:
    first, *others = sorted(group, key=_begin)
    for uri in {each.uri for each in group}:
        same = sorted((each for each in group if each.uri == uri), key=lambda each: (each.opened, _last(each)))
        for before, after in pairwise(same):
            if _last(before) > after.opened:
                raise SessionError(f"{before.name} and {after.name} record {uri} at the same time: give each file once")
    return replace(
        first,
        others=tuple(others),
        name=f"{first.name}+{len(others)}",
        cut_off=next((each.cut_off for each in group if each.cut_off), None),
        spread=any(each.spread for each in group),
        synthetic=any(each.synthetic for each in group),
        warnings=tuple(chain.from_iterable(each.warnings for each in group)),
    )


def _begin(session: Session) -> tuple[bool, float, float]:
    """What orders the parts of a session: those with events first, by the time of the first one."""
    return not session.events, session.events[0].t if session.events else session.opened, session.opened


def _last(session: Session) -> float:
    """When the last event was; when the document was opened where there is none."""
    return session.events[-1].t if session.events else session.opened
