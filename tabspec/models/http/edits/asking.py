"""How a server is asked for an edit, and how the events of its answer are read. Pure functions on JSON objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tabspec.models.address import Address
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.http.answers.reading import CHARS_PER_TOKEN
from tabspec.models.http.apis import Ask, StreamEvent, completions, first_choice, read
from tabspec.models.http.detect import ServerInfo, ServerKind
from tabspec.models.http.edits.formats import EditFormat
from tabspec.suggestion import Finish

# Tokens that an answer may have beyond the region's own: a new function of 25 lines.
ROOM = 256


def ask_for_edit(form: EditFormat, server: ServerInfo, address: Address, request: EditRequest) -> Ask:
    """The HTTP request. The prompt is sent as it is, so that no server applies a template of its own to it."""
    prompt = form.prompt(request)
    most = most_tokens(request)
    if form.chat:
        message = {"role": "user", "content": prompt}
        return Ask("/v1/edit/completions", {"model": server.model, "messages": [message], "max_tokens": most})
    if server.kind is ServerKind.OLLAMA:  # its OpenAI API would apply the model's template
        options = {"temperature": 0, "num_predict": most, "stop": list(form.stop)}
        body = {"model": server.model, "prompt": prompt, "raw": True, "stream": False, "options": options}
        return Ask("/api/generate", body)
    return completions(server, address, prompt, max_tokens=most, foreground=request.foreground, stop=form.stop)


def most_tokens(request: EditRequest) -> int:
    """How many tokens an answer may have: the region's own, and some more."""
    return round(len(request.region) / CHARS_PER_TOKEN) + ROOM


def read_event(event: dict[str, Any]) -> StreamEvent:
    """Read an event of any of the three APIs. A field of another type counts as missing."""
    if isinstance(event.get("response"), str):  # Ollama's own API
        ended = Finish.LENGTH if event.get("done_reason") == "length" else Finish.END
        counts = [
            count if isinstance(count := event.get(name), int) else None for name in ("prompt_eval_count", "eval_count")
        ]
        return StreamEvent(
            event["response"], prompt=counts[0], decoded=counts[1], finish=ended if event.get("done") else None
        )
    found = read(event)
    message = first_choice(event).get("message")
    if isinstance(message, dict) and isinstance(message.get("content"), str):  # a chat's
        return replace(found, text=message["content"])
    return found
