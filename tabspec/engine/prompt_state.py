"""From an edit context to the request that a model gets.

Models see ``\\n`` as the only line end (their training text has hardly any other); a document that uses ``\\r\\n``
gets its own line ends back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath

from tabspec.cache.digests import digest
from tabspec.context import EditContext
from tabspec.fitting.truncation import FitPlace, FitStep
from tabspec.models.protocol import GenerationRequest, RelatedText, StopRule
from tabspec.prompt.window import Window, WindowSize, window
from tabspec.text import with_lf
from tabspec.uris import uri_path

FindRelated = Callable[[EditContext, Window], tuple[RelatedText, ...]]
"""Returns the related code that the model is shown with a window."""


@dataclass(frozen=True, slots=True)
class PromptState:
    """What the model sees of a document state, and the scope in which its answers may be reused.

    ``scope`` is a part of the completion cache's key: within one scope, typing carries answers from state to state. It
    contains a digest of the related code, because other related code gives another answer. ``place`` is the state as
    post-processing sees it.
    """

    place: FitPlace
    window: Window
    scope: tuple[object, ...]
    related: tuple[RelatedText, ...] = ()

    @property
    def context(self) -> EditContext:
        return self.place.context

    @classmethod
    def of(
        cls,
        context: EditContext,
        size: WindowSize,
        fingerprint: str,
        related: FindRelated | None = None,
        steps: Collection[FitStep] = frozenset(FitStep),
    ) -> PromptState:
        """The prompt state of ``context`` for the model with this fingerprint."""
        seen = window(context, size)
        shown = related(context, seen) if related else ()
        # After a CR the model sees another line end than after the CRLF that it may become.
        half = context.document.text[context.offset - 1 : context.offset] == "\r"
        scope = (fingerprint, context.document.language, half, _digest(shown), *seen.scope)
        return cls(FitPlace(context, steps), seen, scope, shown)

    def request(
        self, stop: StopRule, resume: str = "", foreground: bool = True, beginnings: int = 0
    ) -> GenerationRequest:
        """The request to the model; ``resume`` is the text that an interrupted generation has written so far."""
        return GenerationRequest(
            head=with_lf(self.window.head),
            forced=with_lf(self.window.forced),
            suffix=with_lf(self.window.suffix),
            path=base_name(self.context.uri),
            language=self.context.document.language,
            related=tuple(RelatedText(text.path, with_lf(text.text)) for text in self.related),
            before=_around(self.window.before),
            after=_around(self.window.after),
            stop=replace(stop, around=self.place.around),
            resume=with_lf(resume),
            foreground=foreground,
            beginnings=beginnings,
        )


def base_name(uri: str) -> str:
    """The file name at the end of a URI: all that a model sees of the path."""
    return PurePosixPath(uri_path(uri)).name


def _digest(related: tuple[RelatedText, ...]) -> int:
    return digest("\0".join(part for text in related for part in (text.path, text.text))) if related else 0


@lru_cache(maxsize=16)
def _around(text: str) -> str:
    """As `with_lf`, with equal texts as one object: a replay keeps thousands of requests with the same text."""
    return with_lf(text)
