"""Post-processing: converts generated text to the suggestion that is offered. Pure functions.

The result depends only on the document state and the generated text, not on where the engine got the text. The engine
applies it at every state, so a suggestion from the completion cache is post-processed exactly like a fresh one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace

from tabspec.context import EditContext
from tabspec.fitting import cleaning
from tabspec.fitting.early_stop import end_with_block
from tabspec.fitting.fit import fit
from tabspec.fitting.redefinition import cut_redefinition
from tabspec.fitting.repetition import cut_repetition, unfinished_loop
from tabspec.fitting.truncation import FitPlace, FitStep, rest_of_line
from tabspec.fitting.unseen import cut_unseen
from tabspec.suggestion import Finish, GeneratedText, Reason, Suggestion
from tabspec.syntax.languages import grammar_of

# With these finish reasons, a rule stopped the text at an arbitrary place.
_CUT_ANYWHERE = (Finish.CONFIDENCE, Finish.MID_WORD, Finish.LENGTH)
# Characters. A wrong suggestion costs as much as to type so many: it is read (600 ms in replay are 5 characters), and
# the next ones are trusted less. Chosen on recorded sessions (docs/decisions/2026-11-29-whole-ends.md).
COST_OF_WRONG = 20
# The exponent of the probability of a text that completes a begun word to one that the document does not have. In
# recorded sessions the odds that such texts are taken are a quarter of those of others of the same probability. With
# 1.5, a tenth more are shown, and 8 of those 248 were taken (docs/decisions/2026-11-29-unknown-words.md).
UNKNOWN_WORD = 2.5


def postprocess(
    context: EditContext,
    generated: GeneratedText,
    steps: Collection[FitStep] = frozenset(FitStep),
    least: float = 0.0,
) -> Suggestion | Reason:
    """The suggestion to offer at ``context``, or the reason why there is none. ``least``: see `likely_part`."""
    place = FitPlace(context, steps)
    return offered(place, place.truncate(generated), least)


def offered(place: FitPlace, generated: GeneratedText, least: float) -> Suggestion | Reason:
    """`postprocess` for a text that is already truncated (`FitPlace.truncate`). A suggestion has the probability that
    `likely_part` compares (lower where a repetition was cut: its tokens count). It is unknown without
    log-probabilities."""
    part = likely_part(place, generated, least)
    if part is None:
        return Reason.WITHHELD
    suggestion = trimmed(place, part)
    if isinstance(suggestion, Reason) or not part.logprobs:
        return suggestion
    return replace(suggestion, probability=_probability(part) ** power(place, part))


def likely_part(place: FitPlace, generated: GeneratedText, least: float) -> GeneratedText | None:
    """The part of a truncated text that is the best to offer. None if it is less likely right than ``least``.

    A part may end after each token, where a person could stop, and at the text's own end. Its probability is the
    product of those of its tokens. The best part is that with the largest probability x (length + `COST_OF_WRONG`):
    the characters that it is expected to save, less the cost of being wrong. A text without log-probabilities is
    offered as a whole. A text that completes a begun word to one that the document does not have must be likelier
    (`UNKNOWN_WORD`).

    The probability of the first token is a factor of all parts. It is left out of the choice, so that it decides only
    whether the part is offered: it rises while that token is typed, and the choice must not change then.
    """
    if FitStep.ENDS not in place.steps or not generated.logprobs or len(generated.ends) != len(generated.logprobs):
        return generated
    parts = dict(parts_of(place, generated))
    if not parts:
        return generated
    best = max(parts, key=lambda part: math.exp(sum(part.logprobs[1:])) * worth(part))
    return None if _probability(best) ** power(place, best) < least else parts[best]


def worth(part: GeneratedText) -> int:
    """What a part that is right saves, in characters: its length, and the cost of being wrong."""
    return len(part.text.strip()) + COST_OF_WRONG


def power(place: FitPlace, part: GeneratedText) -> float:
    """The power to which the probability of a part is raised before it is compared with the least."""
    return UNKNOWN_WORD if place.ending.completes_unknown_word(part.text) else 1.0


def _probability(part: GeneratedText) -> float:
    return math.exp(min(part.logprob, 0.0))


def parts_of(place: FitPlace, generated: GeneratedText) -> Iterator[tuple[GeneratedText, GeneratedText]]:
    """The parts of a truncated text that may be offered, each with what to offer: for the one that ends with the text
    (but for other cuts), ``generated`` itself. Parts have plain line ends."""
    plain = _with_plain_line_ends(generated)
    text, kept, limit = plain.text, "", 0
    for step, kept, _ in stages(place, plain):
        if step is FitStep.ENDS:
            break
        limit = len(kept)
    found = set[int]()
    if kept.strip():
        found.add(len(kept.rstrip()))  # another part would be without its last blanks only
        yield plain.stopped_at(len(kept), plain.finish), generated
    for end in dict.fromkeys(end for end in plain.ends if end < limit):
        mid_word = Finish.doubt(text[:end], text[end:]) is Finish.MID_WORD
        size = len(place.ending.whole(text[:end], mid_word))
        if size not in found and text[:size].strip():
            found.add(size)
            part = plain.stopped_at(size, Finish.doubt(text[:size], text[size:]))
            yield part, part


def _with_plain_line_ends(generated: GeneratedText) -> GeneratedText:
    if "\r" not in generated.text:
        return generated
    ends = tuple(len(cleaning.with_plain_line_ends(generated.text[:end])) for end in generated.ends)
    return replace(generated, text=cleaning.with_plain_line_ends(generated.text), ends=ends)


def trimmed(place: FitPlace, generated: GeneratedText) -> Suggestion | Reason:
    """The suggestion that a text gives as a whole, once it is truncated and its end is chosen."""
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
        kept = cut_redefinition(context, near.line, cut_repetition(near.line, text, near.below))
        if cut_anywhere and (loop := unfinished_loop(kept)) is not None:
            kept = kept[:loop]
        cut_anywhere = cut_anywhere or (len(kept) < len(text) and "\n" not in text[len(kept) :])
        text = kept
        yield FitStep.REPETITION, text, 0
    if FitStep.INDENTATION in steps:
        text = end_with_block(near.line, text, near.word_ends)
        yield FitStep.INDENTATION, text, 0
    if FitStep.ENDS in steps:
        mid_word = generated.finish is Finish.MID_WORD
        text = place.ending.whole(text, mid_word) if cut_anywhere else place.ending.ended(text)
        yield FitStep.ENDS, text, 0
    if FitStep.OVERLAP in steps:
        unit = cleaning.usual_unit(grammar_of(context.document) or "")
        text = cleaning.as_typed(context.document.text, context.offset, near.line, text, unit)
        yield FitStep.OVERLAP, *fit(context, text, ended=not cut_anywhere)
    else:
        yield None, text.rstrip(), 0
