"""What the engine should answer, by brute force: a new answer of the model for the exact document state.

Nothing here looks at the engine, the completion cache or a scheduler.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.fitting.postprocess import postprocess
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import WindowSize, window
from tabspec.suggestion import Finish, GeneratedText, Reason, Suggestion
from tabspec.text import Document

from .model import SimulatedModel

Offer = Suggestion | Reason

# An answer of the simulated model has this many characters at most: max_lines and max_tokens are small.
LONGEST = 160


class Oracle:
    """Fresh answers of ``model`` under ``config``."""

    def __init__(self, model: SimulatedModel, config: EngineConfig) -> None:
        self._model = model
        self._size = WindowSize(config.prefix_chars, config.suffix_chars, max(config.prefix_chars // 3, 1))
        self._stop = StopRule(config.max_lines, config.max_tokens)
        self._lines, self._least = config.max_lines, config.min_probability
        # Kept for a while: the same state is asked about many times while it lasts.
        self.question = lru_cache(1024)(self._question)
        self.fresh = lru_cache(1024)(self._fresh)

    def _question(self, context: EditContext) -> tuple[GenerationRequest, tuple[int, int]]:
        """What the model is asked at ``context``, and the scope of the answer."""
        seen = window(context, self._size)
        request = GenerationRequest(
            seen.head.replace("\r\n", "\n"),
            seen.forced.replace("\r\n", "\n"),
            seen.suffix.replace("\r\n", "\n"),
            path=context.uri.rpartition("/")[2],
            language=context.document.language,
            stop=self._stop,
        )
        return request, seen.scope

    def _fresh(self, context: EditContext) -> GeneratedText:
        """What the model writes at ``context``."""
        request, _ = self.question(context)
        tokens, finish = self._model.write(request)
        line_end = "\r\n" if crlf(context.document.text) else "\n"
        text, ends = "", []
        for token in tokens:
            text += token.text.replace("\n", line_end)
            ends.append(len(text))
        return GeneratedText(text, finish, tuple(ends), tuple(token.logprob for token in tokens))

    def offer(self, context: EditContext) -> Offer:
        """What should be offered at ``context``."""
        return self._suggested(context, self.fresh(context))

    def _suggested(self, context: EditContext, written: GeneratedText) -> Offer:
        return postprocess(context, written, least=self._least)

    def right(self, context: EditContext, offered: Offer) -> bool:
        """Whether ``offered`` is what the model would now answer for this exact document."""
        return any(same(offered, offer) for offer in self.offers(context))

    def offers(self, context: EditContext) -> Iterator[Offer]:
        """What the model would now answer; and the rests of answers that a budget had cut some characters back.

        The one place where typing on changes an answer: a generation that begins later may go farther, because
        ``max_tokens`` and (beyond one) ``max_lines`` count from where it begins.
        """
        yield self.offer(context)
        text, offset = context.document.text, context.offset
        scope = self.question(context)[1]
        for back in range(1, min(LONGEST, offset) + 1):
            typed = text[offset - back : offset]
            document = Document(context.uri, text[: offset - back] + text[offset:], context.document.language)
            earlier = EditContext(document, offset - back)
            if self.question(earlier)[1] != scope or earlier.prefix.endswith("\r"):
                continue
            written = self.fresh(earlier)
            budget = written.finish is Finish.LENGTH or (written.finish is Finish.STOP and self._lines > 1)
            if budget and written.text.startswith(typed) and len(written.text) > back:
                kept = sum(end <= back for end in written.ends)
                while (
                    kept and kept < len(written.ends) and written.ends[kept - 1] == back == _before(written, kept - 1)
                ):
                    kept -= 1  # begins a character that has not been typed
                yield self._suggested(
                    context,
                    GeneratedText(
                        written.text[back:],
                        written.finish,
                        tuple(end - back for end in written.ends[kept:]),
                        written.logprobs[kept:],
                    ),
                )


def _before(written: GeneratedText, token: int) -> int:
    return written.ends[token - 1] if token else 0


def crlf(text: str) -> bool:
    """Whether the first line end is a CRLF."""
    head, line_end, _ = text.partition("\n")
    return bool(line_end) and head.endswith("\r")


def same(a: Offer, b: Offer) -> bool:
    """Equal, except for the rounding of sums."""
    if isinstance(a, Reason) or isinstance(b, Reason):
        return a is b
    return (
        (a.text, a.replace_before, a.replace_after, a.finish) == (b.text, b.replace_before, b.replace_after, b.finish)
        and a.logprob is not None
        and b.logprob is not None
        and abs(a.logprob - b.logprob) < 1e-9
        and a.probability is not None
        and b.probability is not None
        and abs(a.probability - b.probability) < 1e-9
    )


def typed_between(earlier: EditContext, later: EditContext) -> str | None:
    """What was typed at the cursor from one state to the other; None if that is not all that happened."""
    a, b = earlier.document.text, later.document.text
    count = later.offset - earlier.offset
    if earlier.uri != later.uri or count < 0 or len(b) - len(a) != count:
        return None
    typed = b[earlier.offset : later.offset]
    return typed if a[: earlier.offset] + typed + a[earlier.offset :] == b else None
