"""Special tokens as text: those that a server writes out are no code, those in a user's file are text.

A server that does not recognize its model's end writes the special token as text. Such a mark ends the suggestion,
unless the user's own text has it. In a request, a mark in the user's text gets a blank after its first character, so
that the server's tokenizer takes it as text. In the answer, the blank is removed again.
"""

from __future__ import annotations

import re

from tabspec.prompt.fim import FORMATS

# Ends and roles of the families that are served as code or chat models, from their tokenizers' configurations: Llama,
# Mistral, Qwen, DeepSeek, Gemma, GPT, StarCoder, Codestral, Phi, Granite. The FIM formats' own marks are added below.
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
[INST] [/INST] [PREFIX] [SUFFIX] [MIDDLE] <<SYS>> <</SYS>> <think> </think>
"""
# Models of editors write the cursor's place as one of these, which is no text.
CURSOR = ("<|cursor|>", "<|user_cursor|>", "<|user_cursor_is_here|>")

MARKS = tuple(
    sorted(
        {*_FAMILIES.split(), *(mark.lstrip("▁") for form in FORMATS for mark in form.markers)} - {"|", ""},
        key=lambda mark: (-len(mark), mark),
    )
)
"""All marks, the longest first."""

MARK = re.compile("|".join(map(re.escape, (*CURSOR, *MARKS))))
_NEUTRAL = re.compile("|".join(f"{re.escape(mark[0])} {re.escape(mark[1:])}" for mark in (*CURSOR, *MARKS)))


def neutral(text: str) -> str:
    """The user's ``text`` for a server whose tokenizer takes marks in a prompt for what they mean."""
    return MARK.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def restored(text: str) -> str:
    """A server's ``text`` with the marks in it as the user had written them."""
    return _NEUTRAL.sub(lambda found: found[0][0] + found[0][2:], text)
