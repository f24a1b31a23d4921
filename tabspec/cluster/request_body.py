"""Parses the body of a /v1/completions request: OpenAI's fields, and tabspec's own request under "tabspec". Pure.

Decoding is greedy. A request for anything else (a temperature, several choices) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tabspec.models.messages import read_request
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import canonical_cut

# OpenAI's default.
USUAL_MAX_TOKENS = 16
# Stop texts of a request. OpenAI allows four, vLLM any number. Every piece of output is searched for each of them.
MOST_STOPS = 16
# Characters of a stop text. Every piece of output is compared with all of its prefixes.
LONGEST_STOP = 256
# Characters of text before the window, and also after it: the most that tabspec's client sends, which rounds up to
# blocks (`tabspec.prompt.window`).
LONGEST_AROUND = 1 << 16
# Limit on a prompt's characters for each token of the model's context. Tokens of ordinary text have about 3.4.
CHARS_PER_TOKEN = 16
# No limit on lines: clients of /v1/completions limit answers by tokens and stop texts.
ANY_LINES = 1 << 30
# Characters of an editor's name, which is hashed for each request. No digest or UUID is longer.
LONGEST_EDITOR = 256

EDITOR_HEADER = "x-session-id"
"""The header by which Ray Serve sends a client's requests to the same replica."""
SPECULATIVE_HEADER = "x-tabspec-speculative"


class BadRequest(Exception):
    """The request is invalid. The message names the reason; ``status`` is the HTTP status of the response."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """One parsed request.

    With a ``prompt`` (text or token ids), the model continues the prompt unchanged; of ``request`` only the stop rule
    and the priority are used. Without one, the model fills in the middle of ``request``. ``ours`` means that the client
    is tabspec, which receives the model's own chunks. ``editor`` identifies the client ("": unknown)."""

    request: GenerationRequest
    prompt: str | tuple[int, ...] | None = None
    stops: tuple[str, ...] = ()
    model: str = ""
    editor: str = ""
    stream: bool = False
    usage: bool = False
    logprobs: bool = False
    ours: bool = False


def fit_to(asked: ClusterRequest, context: int) -> ClusterRequest:
    """``asked`` with its token limit reduced to a context of ``context`` tokens. Raises `BadRequest` for a prompt that
    is far too long. The check counts characters, because tokenizing takes seconds for each megabyte."""
    request = asked.request
    texts = [request.head, request.forced, request.suffix, request.resume, *(item.text for item in request.related)]
    size, most = sum(map(len, texts)), context * CHARS_PER_TOKEN
    if isinstance(asked.prompt, str):
        size += len(asked.prompt)
    elif asked.prompt is not None:
        size += len(asked.prompt) * CHARS_PER_TOKEN
    if size > most:
        raise BadRequest(
            f"the prompt is too long for the model's context of {context} tokens: {most} characters at most"
        )
    stop = replace(request.stop, max_tokens=min(request.stop.max_tokens, context))
    return replace(asked, request=replace(request, stop=stop))


def read_body(body: Any, headers: Mapping[str, str]) -> ClusterRequest:
    """Read a request. ``headers`` have names in lower case. Raises `BadRequest`."""
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    _only_greedy(body)
    foreground = _number(body, "priority", 0, low=None) <= 0 and headers.get(SPECULATIVE_HEADER, "0") in ("", "0")
    ours = "tabspec" in body
    if ours:
        asked = ClusterRequest(_generation_request(body["tabspec"]), ours=True)
    else:
        stop = StopRule(ANY_LINES, _number(body, "max_tokens", USUAL_MAX_TOKENS, low=1))
        asked = _openai(body, stop)
    options = body.get("stream_options") or {}
    return replace(
        asked,
        request=replace(asked.request, foreground=foreground),
        stops=_stops(body.get("stop")),
        model=_text(body, "model"),
        editor=(_text(body, "user") or headers.get(EDITOR_HEADER, ""))[:LONGEST_EDITOR],
        stream=bool(body.get("stream")),
        usage=isinstance(options, dict) and bool(options.get("include_usage")),
        logprobs=body.get("logprobs") not in (None, False),
    )


def _only_greedy(body: Mapping[str, Any]) -> None:
    if body.get("temperature") not in (None, 0):
        raise BadRequest("temperature: decoding is greedy here; leave it out, or set it to 0")
    for name in ("n", "best_of"):
        if body.get(name) not in (None, 1):
            raise BadRequest(f"{name}: there is one choice only; leave it out, or set it to 1")
    if body.get("echo"):
        raise BadRequest("echo: the prompt is not repeated here")
    logprobs = body.get("logprobs")
    if isinstance(logprobs, int) and not isinstance(logprobs, bool) and not 0 <= logprobs <= 1:
        raise BadRequest("logprobs: only the chosen token's are returned; set it to 1")


def _openai(body: Mapping[str, Any], stop: StopRule) -> ClusterRequest:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if isinstance(prompt, list):
        if not prompt or not all(isinstance(token, int) and not isinstance(token, bool) for token in prompt):
            raise BadRequest("prompt: one text, or one list of token ids")
        prompt = tuple(prompt)
    elif not isinstance(prompt, str):
        raise BadRequest("prompt: a text, or a list of token ids")
    suffix = body.get("suffix")
    if suffix is None:
        return ClusterRequest(GenerationRequest("", "", "", stop=stop), prompt=prompt)
    if not isinstance(suffix, str) or not isinstance(prompt, str):
        raise BadRequest("suffix: a text, with a prompt that is a text")
    cut = canonical_cut(prompt)
    return ClusterRequest(GenerationRequest(prompt[:cut], prompt[cut:], suffix, stop=stop))


def _generation_request(fields: Any) -> GenerationRequest:
    """The request as tabspec's client sends it: an object with the fields of `GenerationRequest`."""
    try:
        request = read_request(fields, "tabspec")
    except ValueError as error:
        raise BadRequest(str(error)) from None
    if max(len(request.before), len(request.after)) > LONGEST_AROUND:
        raise BadRequest(f"tabspec.before and tabspec.after: {LONGEST_AROUND} characters at most")
    if min(request.stop.max_lines, request.stop.max_tokens) < 1 or request.beginnings < 0:
        raise BadRequest("tabspec: max_lines and max_tokens must be at least 1, and beginnings at least 0")
    return request


def _stops(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops) or len(stops) > MOST_STOPS:
        raise BadRequest(f"stop: a text, or at most {MOST_STOPS} of them")
    if any(len(text) > LONGEST_STOP for text in stops):
        raise BadRequest(f"stop: {LONGEST_STOP} characters at most")
    return tuple(text for text in stops if text)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name}: must be a text")
    return value or ""


def _number(fields: Mapping[str, Any], name: str, usual: int, low: int | None) -> int:
    value = fields.get(name)
    if value is None:
        return usual
    if not isinstance(value, int) or isinstance(value, bool) or (low is not None and value < low):
        raise BadRequest(f"{name}: must be a whole number" + ("" if low is None else f" from {low}"))
    return value
