"""How each API is asked, and how its events are read. Pure functions on JSON objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabspec.errors import ModelError
from tabspec.models.address import Address
from tabspec.models.http.connection.body import FIRST_EVENT_S
from tabspec.models.http.detect import ServerInfo, ServerKind
from tabspec.models.protocol import GenerationRequest, RelatedText
from tabspec.suggestion import Finish

Json = dict[str, Any]

UNKNOWN_TOKEN = -1
"""The id of a token for which a server reports a probability and no id."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """The content of an event. ``prompt`` (tokens computed), ``reused`` (found in the KV cache) and ``decoded`` are
    totals of the whole answer so far, None if the event has none."""

    text: str = ""
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    prompt: int | None = None
    reused: int | None = None
    decoded: int | None = None
    finish: Finish | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One HTTP request: path and JSON body."""

    path: str
    body: Json


def completions(
    server: ServerInfo,
    address: Address,
    prompt: str | Sequence[int],
    *,
    max_tokens: int,
    foreground: bool,
    suffix: str | None = None,
    stop: Sequence[str] = (),
    grammar: str = "",
) -> Ask:
    """For OpenAI's /v1/completions. ``grammar`` (GBNF) is for llama.cpp."""
    body: Json = {
        "model": server.model,
        "prompt": prompt if isinstance(prompt, str) else list(prompt),
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if suffix is not None:
        body["suffix"] = suffix
    if stop:
        body["stop"] = list(stop)
    if server.kind is ServerKind.LLAMA_CPP:
        body |= _llama_cpp(address)
        body["logprobs"] = 1
        if grammar:
            body["grammar"] = grammar
    elif server.kind is ServerKind.VLLM:
        # a token is reported by its text or by its id, and two tokens may have the same text
        body |= {"logprobs": 1, "return_tokens_as_token_ids": True}
        body["stream_options"]["continuous_usage_stats"] = True
        if not foreground and address.priority != "off":
            body["priority"] = 1  # lower numbers are served first, and 0 is what others have
    if address.priority == "on" and not foreground:
        body["priority"] = 1
    return Ask("/v1/completions", body)


def infill(address: Address, request: GenerationRequest, *, max_tokens: int, stop: Sequence[str] = ()) -> Ask:
    """For llama.cpp's /infill, which applies its model's format. Its ``prompt`` is the text after the head."""
    body = _llama_cpp(address) | {
        "input_prefix": request.head,
        "input_suffix": request.suffix,
        "input_extra": [_extra(text) for text in request.related],
        "prompt": request.forced + request.resume,
        "n_predict": max_tokens,
        "n_probs": 1,
        "temperature": 0,
        "stream": True,
    }
    if stop:
        body["stop"] = list(stop)
    return Ask("/infill", body)


def _extra(text: RelatedText) -> Json:
    return {"filename": text.path, "text": text.text}


def _llama_cpp(address: Address) -> Json:
    body: Json = {
        "cache_prompt": True,
        "timings_per_token": True,
        # it stops at the first line end after this time: for clients that vanished without closing the connection
        "t_max_predict_ms": int(FIRST_EVENT_S * 1000),
    }
    if address.slot >= 0:
        body["id_slot"] = address.slot
    return body


def read(event: Json) -> StreamEvent:
    """Read an event of either API. A field of another type counts as missing."""
    if isinstance(event.get("choices"), list):
        choice = first_choice(event)
        text, probabilities = choice.get("text"), choice.get("logprobs")
        finish = _finish(choice.get("finish_reason"))
    else:
        text, probabilities = event.get("content"), event.get("completion_probabilities")
        finish = _finish(event.get("stop_type") or "stop") if event.get("stop") is True else None
    tokens, logprobs = _logprobs(probabilities)
    prompt, reused, decoded = _counts(event)
    return StreamEvent(text if isinstance(text, str) else "", tokens, logprobs, prompt, reused, decoded, finish)


def first_choice(event: Json) -> Json:
    """The first choice in an event of OpenAI's API; empty if there is none."""
    choices = event.get("choices")
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def speaks(event: Json, base: str) -> bool:
    """Whether an event belongs to an answer in either API. Raises `ModelError` for one of a chat."""
    if not isinstance(event.get("choices"), list):
        return "content" in event
    first = first_choice(event)
    if "text" not in first and ("delta" in first or "message" in first):
        raise ModelError(f"{base} answers as a chat does: name a server that has /v1/completions, and a model for code")
    return True


def _finish(reason: Any) -> Finish | None:
    """Of OpenAI's finish_reason or llama.cpp's stop_type."""
    if not reason:
        return None
    return Finish.LENGTH if reason in ("length", "limit") else Finish.END


def _logprobs(given: Any) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """OpenAI's completion object (parallel lists), or llama.cpp's list of objects."""
    if isinstance(given, dict) and isinstance(given.get("content"), list):
        given = given["content"]
    if isinstance(given, list):
        pairs = [(item.get("id"), item.get("logprob")) for item in given if isinstance(item, dict)]
    elif isinstance(given, dict):
        pairs = list(zip(given.get("tokens") or (), given.get("token_logprobs") or (), strict=False))
    else:
        return (), ()
    good = [(_token(token), float(logprob)) for token, logprob in pairs if isinstance(logprob, int | float)]
    return tuple(token for token, _ in good), tuple(logprob for _, logprob in good)


def _token(given: Any) -> int:
    if isinstance(given, int):
        return given
    number = given.removeprefix("token_id:") if isinstance(given, str) else ""
    return int(number) if number.isdecimal() and number != given else UNKNOWN_TOKEN


def _counts(event: Json) -> tuple[int | None, int | None, int | None]:
    """Prompt tokens computed and reused, and tokens decoded: of llama.cpp's timings, or of OpenAI's usage."""
    timings = event.get("timings")
    if isinstance(timings, dict) and isinstance(timings.get("prompt_n"), int):
        return timings["prompt_n"], int(timings.get("cache_n") or 0), int(timings.get("predicted_n") or 0)
    usage = event.get("usage")
    if not isinstance(usage, dict) or not isinstance(usage.get("prompt_tokens"), int):
        return None, None, None
    details = usage.get("prompt_tokens_details")
    reused = int(details.get("cached_tokens") or 0) if isinstance(details, dict) else 0
    return usage["prompt_tokens"] - reused, reused, int(usage.get("completion_tokens") or 0)


def grammar_for(known: str) -> str:
    """The GBNF grammar of all texts that begin with ``known``."""
    return f'root ::= "{"".join(map(_escaped, known))}" .*\n' if known else ""


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    code = ord(char)
    if 0x20 <= code < 0x7F:
        return char
    return f"\\x{code:02X}" if code < 0x80 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
