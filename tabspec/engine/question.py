"""From an edit context to the question put to a model, and from its words back to the document's.

Models see ``\\n`` as the only line end (their training text has hardly any other); a document that uses ``\\r\\n``
gets its own line ends back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from tabspec.context import EditContext
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import Window, WindowSize, window
from tabspec.uris import uri_path


@dataclass(frozen=True, slots=True)
class Question:
    """A window of a document state, with all that tells its answers from those of other states.

    ``scope`` is the completion cache's: answers of one scope may be carried from state to state by typing.
    """

    context: EditContext
    window: Window
    scope: tuple[object, ...]

    @classmethod
    def of(cls, context: EditContext, size: WindowSize, fingerprint: str) -> Question:
        """The question for ``context`` to the model with this fingerprint."""
        seen = window(context, size)
        # Behind a CR the model sees another line end than behind the CRLF that it may become.
        half = context.document.text[context.offset - 1 : context.offset] == "\r"
        return cls(context, seen, (fingerprint, context.document.language, half, *seen.scope))

    def request(
        self, stop: StopRule, resume: str = "", foreground: bool = True, beginnings: int = 0
    ) -> GenerationRequest:
        """The request to the model; ``resume`` is what an interrupted generation had written already."""
        return GenerationRequest(
            head=_to_model(self.window.head),
            forced=_to_model(self.window.forced),
            suffix=_to_model(self.window.suffix),
            path=base_name(self.context.uri),
            language=self.context.document.language,
            stop=stop,
            resume=_to_model(resume),
            foreground=foreground,
            beginnings=beginnings,
        )


def uses_crlf(text: str) -> bool:
    """Whether a document's line ends are ``\\r\\n``: its first one decides, as in most editors."""
    first = text.find("\n")
    return first > 0 and text[first - 1] == "\r"


def base_name(uri: str) -> str:
    """The file name at the end of a URI; models take the language from it, and no more is told them."""
    return PurePosixPath(uri_path(uri)).name


def _to_model(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text
