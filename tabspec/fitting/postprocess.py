"""Post-processing: converts generated text to the suggestion that is offered. Pure functions.

The result depends only on the document state and the generated text, not on where the engine got the text. The engine
applies it at every state, so a suggestion from the completion cache is post-processed exactly like a fresh one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace

from tabspec.calibration import Calibration
from tabspec.context import EditContext
from tabspec.fitting import cleaning
from tabspec.fitting.early_stop import end_with_block
from tabspec.fitting.fit import fit, whole_end
from tabspec.fitting.repetition import cut_repetition, unfinished_loop
from tabspec.fitting.truncation import FitPlace, FitStep, rest_of_line
from tabspec.fitting.unseen import cut_unseen
from tabspec.suggestion import Finish, GeneratedText, Reason, Suggestion

# With these finish reasons, a rule stopped the text at an arbitrary place.
_CUT_ANYWHERE = (Finish.CONFIDENCE, Finish.MID_WORD, Finish.LENGTH)


def postprocess(
    context: EditContext, generated: GeneratedText, steps: Collection[FitStep] = frozenset(FitStep)
) -> Suggestion | Reason:
    """The suggestion to offer at ``context``, or the reason why there is none."""
    place = FitPlace(context, steps)
    return trimmed(place, place.truncate(generated))


def trimmed(place: FitPlace, generated: GeneratedText) -> Suggestion | Reason:
    """The suggestion for a text that is already truncated (`FitPlace.truncate`)."""
    context = place.context
    *_, (_, text, replaced) = stages(place, generated)
    rest = rest_of_line(context)
    if not text.strip():
        return Reason.EMPTY
    if text == rest[: len(text)] and replaced <= len(text):
        return Reason.EMPTY  # it only repeats the text after the cursor
    text = cleaning.with_line_ends_of(context.document.text, text)
    return Suggestion(text, replace_after=replaced, finish=generated.finish, logprob=generated.logprob)


def stages(place: FitPlace, generated: GeneratedText) -> Iterator[tuple[FitStep | None, str, int]]:
    """The text after each step, and how many characters after the cursor it replaces. The first item is the
    text before any step, with plain line ends."""
    context, steps, near = place.context, place.steps, place.around
    characters = cleaning.whole_characters(cut_unseen(generated.text))
    cut_anywhere = generated.finish in _CUT_ANYWHERE or characters != generated.text
    text = cleaning.with_plain_line_ends(characters)
    yield None, text, 0
    if FitStep.REPETITION in steps:
        kept = cut_repetition(near.line, text, near.below)
        if cut_anywhere and (loop := unfinished_loop(kept)) is not None:
            kept = kept[:loop]
        cut_anywhere = cut_anywhere or (len(kept) < len(text) and "\n" not in text[len(kept) :])
        text = kept
        yield FitStep.REPETITION, text, 0
    if FitStep.INDENTATION in steps:
        text = end_with_block(near.line, text, near.word_ends)
        yield FitStep.INDENTATION, text, 0
    if FitStep.ENDS in steps and cut_anywhere:
        text = whole_end(context, text, mid_word=generated.finish is Finish.MID_WORD)
        yield FitStep.ENDS, text, 0
    if FitStep.OVERLAP in steps:
        text = cleaning.as_typed(context.document.text, context.offset, near.line, text)
        yield FitStep.OVERLAP, *fit(context, text, ended=not cut_anywhere)
    else:
        yield None, text.rstrip(), 0


def judge(
    suggestion: Suggestion | Reason, generated: GeneratedText, calibration: Calibration | None, least: float
) -> Suggestion | Reason:
    """Set the probability that a suggestion is right. Withhold the suggestion if that is less than ``least``.

    Calibrations are fitted on complete rests of lines. Without a calibration, and for a text that ended because of a
    low probability, the model's own probability is used, and the suggestion is not withheld.
    """
    if isinstance(suggestion, Reason):
        return suggestion
    if calibration is None or generated.finish.in_doubt:
        return replace(suggestion, probability=math.exp(min(generated.logprob, 0.0)))
    probability = calibration.probability(generated.logprob, len(generated.logprobs))
    return replace(suggestion, probability=probability) if probability >= least else Reason.WITHHELD
