"""From what a model wrote to what is offered: pure functions, applied anew at every state.

What they say depends on the state and on the text that is left there, never on how the engine came by the text: so a
suggestion from the completion cache is post-processed exactly as a fresh one.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from tabspec.calibration import Calibration
from tabspec.context import EditContext
from tabspec.engine.settling import Step, around, rest_of_line, settle, visible
from tabspec.suggestion import Finish, GeneratedText, Reason, Suggestion
from tabspec.trimming.indentation import end_with_block
from tabspec.trimming.repetition import cut_repetition

_CLOSERS = {")": "(", "]": "[", "}": "{"}
_OPENERS = frozenset(_CLOSERS.values())
_QUOTES = frozenset("\"'`")


def postprocess(
    context: EditContext, generated: GeneratedText, steps: Collection[Step] = frozenset(Step)
) -> Suggestion | Reason:
    """The suggestion to offer at ``context``, or why there is none."""
    return trimmed(context, settle(context, generated, steps), steps)


def trimmed(
    context: EditContext, generated: GeneratedText, steps: Collection[Step] = frozenset(Step)
) -> Suggestion | Reason:
    """The same of a text that is settled already (`tabspec.engine.settling.settle`)."""
    text = trim_end(visible(context, generated.text))
    near, behind = around(context, steps), rest_of_line(context)
    before = near.line
    if Step.REPETITION in steps:
        text = trim_end(cut_repetition(before, text, near.below))
    if Step.INDENTATION in steps:
        text = trim_end(end_with_block(before, text))
    replace_after = 0
    if Step.OVERLAP in steps:
        text, replace_after = fit_line_end(before, text, behind)
    if not text.strip():
        return Reason.EMPTY
    if text == behind[: len(text)] and replace_after <= len(text):
        return Reason.EMPTY  # it says what stands there already
    return Suggestion(
        text,
        replace_after=replace_after,
        finish=generated.finish,
        logprob=generated.logprob,
    )


def judge(
    suggestion: Suggestion | Reason, generated: GeneratedText, calibration: Calibration | None, least: float
) -> Suggestion | Reason:
    """Give a suggestion its probability of being right, and withhold it if that is less than ``least``.

    Calibrations are fitted on whole rests of lines. Without one, and for a text that ends in doubt, it is the model's
    own probability of the text; nothing is withheld for that.
    """
    if isinstance(suggestion, Reason):
        return suggestion
    if calibration is None or generated.finish is Finish.CONFIDENCE:
        return replace(suggestion, probability=math.exp(min(generated.logprob, 0.0)))
    probability = calibration.probability(generated.logprob, len(generated.logprobs))
    return replace(suggestion, probability=probability) if probability >= least else Reason.WITHHELD


def trim_end(text: str) -> str:
    """Without white space at the end: blanks would be in the way of what comes next, and editors do not show a
    suggestion that ends with an empty line."""
    return text.rstrip()


def fit_line_end(before: str, text: str, behind: str) -> tuple[str, int]:
    """Make ``text`` go together with what stands ``behind`` the cursor on its line: no second closing bracket.

    (text, characters behind the cursor that it replaces). If the text ends with all that stands there, that part is
    not said again. Otherwise, what it closes itself takes the place of the closers that stand there.
    """
    if not behind.strip() or "\n" in text or "\r" in text:
        return text, 0
    tail = behind.rstrip()
    outer = _outer_closers(before, text)
    own = {i for i, char in enumerate(text) if char in _CLOSERS} - set(outer)
    if text.endswith(tail) and not any(i >= len(text) - len(tail) for i in own):
        return text[: -len(tail)], 0
    closed = 0  # characters of `behind` that the text brings along itself
    for i in outer:
        if behind[closed : closed + 1] == text[i]:
            closed += 1
    return text, closed


def _outer_closers(before: str, text: str) -> list[int]:
    """Where in ``text`` brackets and quotes are closed that were opened before it."""
    stack: list[str] = []
    for char in before:
        _step(stack, char)
    opened = len(stack)  # how many of those that are open were so before the text
    found = []
    for i, char in enumerate(text):
        ends_string = bool(stack) and stack[-1] in _QUOTES and char == stack[-1]
        closes = ends_string or (char in _CLOSERS and not (stack and stack[-1] in _QUOTES))
        if closes and len(stack) <= opened:
            found.append(i)
        _step(stack, char)
        opened = min(opened, len(stack))
    return found


def _step(stack: list[str], char: str) -> None:
    """Follow brackets and quotes: ``stack`` holds what is open."""
    if stack and stack[-1] in _QUOTES:
        if char == stack[-1]:
            stack.pop()
    elif char in _QUOTES or char in _OPENERS:
        stack.append(char)
    elif char in _CLOSERS and stack and stack[-1] == _CLOSERS[char]:
        stack.pop()
