"""Special tokens as text: what a server writes out that is no code, and what a user's file has that is no token.

A server that does not know its model's end writes the special token as text. Such a mark ends the suggestion, unless
the user's own text has it: then it is text. On the way out, a mark in the user's text gets a blank after its first
character, so that the server's tokenizer takes it as text; on the way back the blank is taken out again.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace

from tabspec.models.http.apis import Piece
from tabspec.models.writing import writable
from tabspec.prompt.fim import FORMATS
from tabspec.suggestion import Finish

# Ends and roles of the families that are served as code or chat models, from their tokenizers' configurations: Llama,
# Mistral, Qwen, DeepSeek, Gemma, GPT, StarCoder, Codestral, Phi, Granite. The formats' own marks come on top.
_FAMILIES = """
<|endoftext|> <|end_of_text|> <|begin_of_text|> <|eot_id|> <|eom_id|> <|start_header_id|> <|end_header_id|>
<|im_start|> <|im_end|> <|im_sep|> <|end|> <|user|> <|assistant|> <|system|> <|endofprompt|> <|eos|> <|bos|> <|pad|>
<|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|fim_end|> <|fim_begin|> <|fim_hole|> <|repo_name|>
<|file_sep|> <|file_separator|> <|code_start|> <|code_end|> <|return|> <|EOT|> <|fim_eot|> <|eot|>
<fim_prefix> <fim_middle> <fim_suffix> <fim_pad> <file_sep> <repo_name> <filename> <reponame> <gh_stars>
</fim_prefix> </fim_middle> </fim_suffix> <fim-prefix> <fim-middle> <fim-suffix> <fim-pad>
<｜fim▁begin｜> <｜fim▁hole｜> <｜fim▁end｜> <｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜>
<｜Assistant｜> <｜EOT｜>
<EOT> <PRE> <SUF> <MID> <END> <eos> <bos> <end_of_turn> <start_of_turn> <s> </s> <unk>
[INST] [/INST] [PREFIX] [SUFFIX] [MIDDLE] <<SYS>> <</SYS>>
"""
# What an editor's model marks the cursor with: it stands for nothing.
_CURSOR = ("<|cursor|>", "<|user_cursor|>", "<|user_cursor_is_here|>")

MARKS = tuple(
    sorted(
        {*_FAMILIES.split(), *(mark.lstrip("▁") for form in FORMATS for mark in form.markers)} - {"|", ""},
        key=lambda mark: (-len(mark), mark),
    )
)
"""All marks, the longest first."""

_MARK = re.compile("|".join(map(re.escape, (*_CURSOR, *MARKS))))
_NEUTRAL = re.compile("|".join(f"{re.escape(mark[0])} {re.escape(mark[1:])}" for mark in (*_CURSOR, *MARKS)))
# HTML's own tags, which are marks elsewhere: there they are code.
_TAGS = frozenset(("<s>", "</s>"))
_MARKUP = frozenset(
    ("html", "xml", "svelte", "vue", "markdown", "javascriptreact", "typescriptreact", "php", "handlebars")
)
_LONGEST = max(map(len, (*_CURSOR, *MARKS)))
_THOUGHT = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)
_FENCE = re.compile(r"\A\s*```[\w+#.-]*[ \t]*\n")


def neutral(text: str) -> str:
    """The user's ``text`` for a server whose tokenizer takes marks in a prompt for what they mean."""
    return _MARK.sub(lambda found: f"{found[0][0]} {found[0][1:]}", writable(text))


def restored(text: str) -> str:
    """A server's ``text`` with the marks in it as the user had written them."""
    return _NEUTRAL.sub(lambda found: found[0][0] + found[0][2:], text)


async def without_marks(
    pieces: AsyncGenerator[Piece, None], language: str, written: Iterable[str]
) -> AsyncGenerator[Piece, None]:
    """The pieces of an answer up to the first mark, without thoughts and fences around the code.

    ``written`` are the texts of the user's that were sent: a mark that stands in one of them is text. What may be the
    beginning of a mark is held until more has come.
    """
    own = {found[0] for text in written for found in _MARK.finditer(text)}
    if language in _MARKUP:
        own |= _TAGS
    fenced = language == "markdown"
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
                    text = "" if "<think>" in text else text  # it has thought to its end
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
    """``text`` without a thought and a fence that it begins with, and whether more must come to know."""
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
    """``text`` up to what ends it, without marks of the cursor; whether it was ended."""
    kept, at = "", 0
    for found in _MARK.finditer(text):
        if found[0] in own:
            continue
        kept, at = kept + text[at : found.start()], found.end()
        if found[0] not in _CURSOR:
            return _before_fence(kept, fenced)[0], True
    return _before_fence(kept + text[at:], fenced)


def _before_fence(text: str, fenced: bool) -> tuple[str, bool]:
    end = -1 if fenced else text.find("```")
    return (text, False) if end < 0 else (text[:end].removesuffix("\n"), True)


def _unsure(text: str, fenced: bool) -> int:
    """How many characters at the end of ``text`` may be the beginning of a mark or a fence."""
    for size in range(min(_LONGEST - 1, len(text)), 0, -1):
        end = text[len(text) - size :]
        if any(mark.startswith(end) for mark in (*_CURSOR, *MARKS)) or (not fenced and "\n```".startswith(end)):
            return size
    return 0
