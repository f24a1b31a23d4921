"""How an answer may begin: the likeliest first tokens that a server reports, with their probabilities.

OpenAI's completions, vLLM and llama.cpp report them. With other servers there is one suggestion.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tabspec.models.http.apis import Ask, first_choice
from tabspec.models.http.detect import ServerInfo, ServerKind
from tabspec.models.protocol import Beginning

# What OpenAI's API allows; vLLM's default bound is 20, and llama.cpp has none.
OPENAI_MOST = 5

# Special tokens of any model, which are no text.
_MARK = re.compile(r"<[|｜▁][^>]*>|</?s>|\[(?:PREFIX|SUFFIX|MIDDLE)\]|<(?:fim|file|repo)_\w+>")


def first_tokens(ask: Ask, server: ServerInfo, count: int) -> Ask:
    """The same request for one token, and for its likeliest alternatives."""
    reports = server.kind in (ServerKind.LLAMA_CPP, ServerKind.VLLM)
    if ask.path == "/infill":
        return replace(ask, body=ask.body | {"n_predict": 1, "n_probs": count, "ignore_eos": True})
    body = ask.body | (
        {"ignore_eos": True} if reports else {}
    )  # nothing is reported if the first token ends the answer
    body |= {"max_tokens": 1, "logprobs": count if reports else min(count, OPENAI_MOST)}
    body.pop("return_tokens_as_token_ids", None)  # the texts are needed
    body.pop("stop", None)
    return replace(ask, body=body)


def read_beginnings(event: dict[str, Any], marks: frozenset[int]) -> list[Beginning]:
    """The first tokens in an event; none if it has another shape. ``marks`` are ids of special tokens."""
    found = first_choice(event).get("logprobs") or event.get("completion_probabilities")
    if isinstance(found, dict) and isinstance(found.get("content"), list):  # llama.cpp's, on the completions API
        found = found["content"]
    if isinstance(found, list):
        first = found[0] if found and isinstance(found[0], dict) else {}
        items = first.get("top_logprobs")
        pairs = [
            (item.get("token"), item.get("logprob"))
            for item in (items if isinstance(items, list) else ())
            if isinstance(item, dict) and item.get("id") not in marks
        ]
    else:
        top = found.get("top_logprobs") if isinstance(found, dict) else None
        pairs = list(top[0].items()) if isinstance(top, list) and top and isinstance(top[0], dict) else []
    return [
        Beginning(text, float(logprob))
        for text, logprob in pairs
        if isinstance(text, str) and isinstance(logprob, int | float) and _is_text(text)
    ]


def _is_text(token: str) -> bool:
    """Whether a token is text: no mark, and no part of a character."""
    return bool(token) and "\ufffd" not in token and not _MARK.fullmatch(token)


def ranked(beginnings: list[Beginning], count: int) -> tuple[Beginning, ...]:
    """The likeliest ``count``, no two of the same text."""
    best: dict[str, Beginning] = {}
    for each in sorted(beginnings, key=lambda each: -each.logprob):
        best.setdefault(each.text, each)
    return tuple(best.values())[:count]
