"""The code in a server's answer, without written-out special tokens, thoughts and fences."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace

from tabspec.models.http.apis import StreamEvent
from tabspec.models.http.marks import CURSOR, MARK, MARKS, restored
from tabspec.suggestion import Finish

# HTML's own tags, which are marks elsewhere: there they are code.
_TAGS = frozenset(("<s>", "</s>"))
_MARKUP = frozenset(("html", "xml", "svelte", "vue", "markdown", "tsx", "php"))
_LONGEST = max(map(len, (*CURSOR, *MARKS)))
_THOUGHT = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)
_FENCE = re.compile(r"\A\s*```[\w+#.-]*[ \t]*\n")


async def without_marks(
    pieces: AsyncGenerator[StreamEvent, None], grammar: str, written: Iterable[str]
) -> AsyncGenerator[StreamEvent, None]:
    """The pieces of an answer up to the first mark, without thoughts and fences around the code.

    ``grammar`` is the name of the document's grammar (`tabspec.syntax`): some have fences, or tags that look like
    marks. ``written`` are the user's texts that were sent: a mark in one of them is text. The possible beginning of a
    mark is held until more text comes.
    """
    own = {found[0] for text in written for found in MARK.finditer(text)}
    if grammar in _MARKUP:
        own |= _TAGS
    fenced = grammar == "markdown"
    held, first = "", True
    async with aclosing(pieces):
        async for piece in pieces:
            text = held + piece.text
            if first:
                text, waits = _beginning(text, fenced)
                if waits and piece.finish is None:
                    held = text
                    yield replace(piece, text="")
                    continue
                if waits:
                    text = "" if "<think>" in text else text  # the thought never ended
                first = not text
            text, ended = _up_to_mark(text, own, fenced)
            keep = 0 if ended or piece.finish else _unsure(text, fenced)
            held = text[len(text) - keep :]
            yield replace(
                piece,
                text=restored(text[: len(text) - keep]),
                finish=Finish.END if ended else piece.finish,
            )
            if ended:
                return


def _beginning(text: str, fenced: bool) -> tuple[str, bool]:
    """``text`` without the thought and the fence at its beginning, and whether more text is needed to decide."""
    code = _THOUGHT.sub("", text, count=1) if text.lstrip().startswith("<think>") else text
    begun = code.lstrip()
    unknown = not begun if code is not text else "<think>".startswith(begun) and bool(begun)
    if unknown or begun.startswith("<think>"):
        return text, True
    if fenced:
        return code, False
    if begun and ("```".startswith(begun) or (begun.startswith("```") and "\n" not in begun)):
        return text, True
    return _FENCE.sub("", code), False


def _up_to_mark(text: str, own: set[str], fenced: bool) -> tuple[str, bool]:
    """``text`` up to the first mark, without marks of the cursor; and whether there was a mark."""
    kept, at = "", 0
    for found in MARK.finditer(text):
        if found[0] in own:
            continue
        kept, at = kept + text[at : found.start()], found.end()
        if found[0] not in CURSOR:
            return _before_fence(kept, fenced)[0], True
    return _before_fence(kept + text[at:], fenced)


def _before_fence(text: str, fenced: bool) -> tuple[str, bool]:
    end = -1 if fenced else text.find("```")
    return (text, False) if end < 0 else (text[:end].removesuffix("\n"), True)


def _unsure(text: str, fenced: bool) -> int:
    """How many characters at the end of ``text`` may be the beginning of a mark or a fence."""
    for size in range(min(_LONGEST - 1, len(text)), 0, -1):
        end = text[len(text) - size :]
        if any(mark.startswith(end) for mark in (*CURSOR, *MARKS)) or (
            not fenced and ("\n```".startswith(end) or "```".startswith(end))
        ):
            return size
    return 0
