"""What the engine would show of a text at a cursor, and what that is worth to the user who types the hole.

All is done by the engine's own functions: stop rule, cut point, parts, fitting. The user is the `tab` of a replay: a
suggestion is taken if the user goes on to write it. Pure functions, for a pool of processes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tabspec.config import EngineConfig
from tabspec.edits.reward import reward, saved_keys
from tabspec.fitting.postprocess import parts_of, power, trimmed, worth
from tabspec.fitting.truncation import FitPlace
from tabspec.models.protocol import StopRule
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.text import difference
from tabspec.train.reinforce.completions.holes import Hole
from tabspec.train.reinforce.pool import TASK, Waiting, Workers

CONFIG = EngineConfig()
_LEAST = math.log(CONFIG.min_probability)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a model wrote after a cursor: the bytes of each token (b"" for one that ends the middle) and their
    log-probabilities. The first token begins with the bytes ``rest``, which are typed already. The last one may be too
    unlikely to be written."""

    cursor: int
    rest: bytes
    tokens: tuple[bytes, ...]
    logprobs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """A part that may be offered: how many ``tokens`` of the text it has (those that repeat typed text only are not
    counted), its `worth`, and what showing it brings: its ``reward``, whether it is ``taken``, and its characters. If
    fitting leaves nothing of it, it is not ``shown``. ``logprob`` is its log-probability times its ``power``
    (`tabspec.fitting.postprocess.power`), ``score`` what the engine compares parts by."""

    tokens: int
    worth: int
    logprob: float
    score: float
    reward: float = 0.0
    taken: bool = False
    chars: int = 0
    shown: bool = False
    power: float = 1.0


def outcomes(hole: Hole, decoded: Sequence[Decoded], follow: bool) -> list[list[PartOutcome] | None]:
    """For each text, the parts of it that may be offered; nothing is shown of a text without parts.

    With ``follow``, the texts are those of one user who comes by in order: a Tab leads past the cursors within the
    suggestion, which have None.
    """
    found: list[list[PartOutcome] | None] = []
    reached = 0
    for each in decoded:
        if follow and each.cursor < reached:
            found.append(None)
            continue
        parts = _parts(hole, each)
        found.append(parts)
        shown = max(parts, key=lambda part: part.score, default=None)
        if shown is not None and shown.taken and shown.logprob >= _LEAST:
            reached = each.cursor + shown.chars
    return found


Outcomes = list[list[PartOutcome] | None]


def judged(
    workers: Workers[Any], holes: Sequence[Hole], decoded: Sequence[Sequence[Decoded]], follow: bool
) -> Waiting[Outcomes]:
    """The outcomes of what was written in each hole."""
    tasks = [(holes[at : at + TASK], decoded[at : at + TASK], follow) for at in range(0, len(holes), TASK)]
    return workers.all(_judged, tasks)


def _judged(holes: Sequence[Hole], decoded: Sequence[Sequence[Decoded]], follow: bool) -> list[Outcomes]:
    return [outcomes(hole, each, follow) for hole, each in zip(holes, decoded, strict=True)]


def _parts(hole: Hole, decoded: Decoded) -> list[PartOutcome]:
    context = hole.context(decoded.cursor)
    place = FitPlace(context)
    generated = written(decoded, StopRule(CONFIG.max_lines, CONFIG.max_tokens, *CONFIG.doubt, around=place.around))
    if not generated.text.strip():
        return []
    found = []
    for part, offer in parts_of(place, place.truncate(generated)):
        score = math.exp(sum(part.logprobs[1:])) * worth(part)
        times = power(place, part)
        outcome = PartOutcome(len(part.logprobs), worth(part), times * part.logprob, score, power=times)
        suggestion = trimmed(place, offer)
        if isinstance(suggestion, Suggestion):
            taken = is_taken(hole, decoded.cursor, suggestion)
            edit = context.edit_for(suggestion)
            change = difference(context.document.text[edit.offset : edit.offset + edit.delete], edit.insert)
            saved = saved_keys(change) if change else 0
            outcome = replace(outcome, reward=reward(taken, saved), taken=taken, chars=len(suggestion.text), shown=True)
        found.append(outcome)
    return found


def is_taken(hole: Hole, cursor: int, suggestion: Suggestion) -> bool:
    """Whether the user goes on to write ``suggestion``: the text that it leaves is reached by typing."""
    replaced = hole.after[: suggestion.replace_after]
    if not suggestion.text.endswith(replaced):
        return False
    written = suggestion.text[: len(suggestion.text) - len(replaced)]
    return bool(written) and hole.text.startswith(written, cursor)


def written(decoded: Decoded, stop: StopRule) -> GeneratedText:
    """The text that ends as a generation of the engine would (`tabspec.models.local.segment.Segment`)."""
    text, held, rest = "", b"", decoded.rest
    ends: list[int] = []
    logprobs: list[float] = []
    for data, logprob in zip(decoded.tokens, decoded.logprobs, strict=True):
        if not data:
            return GeneratedText(text, Finish.END, tuple(ends), tuple(logprobs))
        fresh, rest = data[len(rest) :], rest[len(data) :]
        if not fresh:
            continue
        least = stop.min_logprob if text else stop.min_first_logprob
        if least is not None and logprob < least:
            finish = Finish.doubt(text, fresh.decode("utf-8", "ignore"))
            return GeneratedText(text, finish, tuple(ends), tuple(logprobs))
        try:
            piece, held = (held + fresh).decode("utf-8"), b""
        except UnicodeDecodeError:
            piece, held = "", held + fresh
        before = len(text)
        end = stop.end(text + piece, before)
        text = (text + piece)[:end]
        ends.append(len(text))
        logprobs.append(logprob)
        if end is not None:
            return GeneratedText(text, Finish.STOP, tuple(ends), tuple(logprobs))
    return GeneratedText(text, Finish.LENGTH, tuple(ends), tuple(logprobs))
