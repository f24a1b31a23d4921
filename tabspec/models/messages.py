"""Messages between a client and the worker process: JSON objects, one a line. The key "op" holds the kind.

Client to worker: ``load`` (once), ``request``, ``edit``, ``cancel``, ``ping``. Worker to client: ``loading``,
``ready`` or ``failed``, then for each ``request`` or ``edit`` ``chunk`` and at most one ``error``, and ``pong``.

The daemon (`tabspec.models.daemon`) has the same messages on its socket. There, ``load`` carries the ``identity`` of
the model that the client wants; ``status`` or ``stop`` may be sent in its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.protocol import Beginning, Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.suggestion import Finish
from tabspec.system.typed_json import JsonReader

Message = dict[str, Any]

# Bytes of a line. A request has some 20 KB; with the settings at their highest (2.1 million characters before and after
# the cursor, six bytes for each that JSON escapes) it has 13 MB.
LONGEST_LINE = 1 << 24

_READER = JsonReader(strict=True)


def to_line(op: str, **fields: Any) -> bytes:
    """A message as a line. Lone surrogates survive (as \\u escapes)."""
    return json.dumps({"op": op, **fields}, separators=(",", ":")).encode("ascii") + b"\n"


def from_line(line: bytes) -> Message:
    """Raises `ValueError` if the line is no message; the error holds nothing of the line."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({type(error).__name__})") from None
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise ValueError("not an object with an op")
    return message


def number_of(message: Message) -> int | None:
    """The id of the stream that a message belongs to; None if there is none, or one that is no integer."""
    number = message.get("id")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def request_line(number: int, request: GenerationRequest | EditRequest) -> bytes:
    """The message that starts the stream ``number``."""
    op = "edit" if isinstance(request, EditRequest) else "request"
    return to_line(op, id=number, request=request_fields(request))


def asked_in(message: Message) -> GenerationRequest | EditRequest:
    """The request of a `request_line`. Raises `ValueError` as `read_request`."""
    given = message.get("request")
    return _read_edit(given) if message["op"] == "edit" else read_request(given)


def request_fields(request: GenerationRequest | EditRequest) -> Message:
    return asdict(request)


def read_request(given: object, where: str = "request") -> GenerationRequest:
    """The request of `request_fields`. Raises `ValueError`, which names the field, if one is missing, unknown or of the
    wrong type: a request is checked where it arrives, and not where it is used."""
    request: GenerationRequest = _READER.read(given, GenerationRequest, where)
    return request


def _read_edit(given: object) -> EditRequest:
    request: EditRequest = _READER.read(given, EditRequest, "request")
    if not 0 <= request.cursor <= len(request.region):
        raise ValueError("request.cursor: not in the region")
    return request


def chunk_fields(chunk: Chunk) -> Message:
    """Only the fields that are set: there is a chunk for each token."""
    fields: Message = {"text": chunk.text, "usage": [chunk.usage.prefill, chunk.usage.reused, chunk.usage.decoded]}
    if chunk.tokens or chunk.logprobs:
        fields |= {"tokens": chunk.tokens, "logprobs": chunk.logprobs}
    if chunk.beginnings:
        fields["beginnings"] = [[each.text, each.logprob] for each in chunk.beginnings]
    if chunk.probability is not None:
        fields["probability"] = chunk.probability
    return fields | ({"finish": chunk.finish} if chunk.finish else {})


def read_chunk(fields: Message) -> Chunk:
    finish = fields.get("finish")
    return Chunk(
        fields["text"],
        tuple(fields.get("tokens", ())),
        tuple(fields.get("logprobs", ())),
        Usage(*fields["usage"]),
        Finish(finish) if finish else None,
        tuple(Beginning(*each) for each in fields.get("beginnings", ())),
        fields.get("probability"),
    )


def take(
    message: Message,
    write: Callable[[bytes], None],
    cancel: Callable[[int], None],
    start: Callable[[int, GenerationRequest | EditRequest], None],
) -> str:
    """The server's side: answer a ``ping``, or call ``cancel`` or ``start`` with the stream's id. The reason why a
    message was dropped; it is the answer, too, if the message has an id. "": it was not dropped."""
    number = number_of(message)
    try:
        if message["op"] == "ping":
            write(to_line("pong"))
        elif number is None:
            raise ValueError("id: not an integer")
        elif message["op"] == "cancel":
            cancel(number)
        elif message["op"] in ("request", "edit"):
            start(number, asked_in(message))
    except Exception as error:  # a bad message must not end the server
        if number is not None:
            write(answer_line(number, ModelError(f"a message that cannot be understood: {error}")))
        return str(error)
    return ""


def info_fields(info: ModelInfo) -> Message:
    return asdict(info)


def read_info(given: object) -> ModelInfo:
    """The properties of `info_fields`. Raises `ValueError` as `read_request`."""
    info: ModelInfo = _READER.read(given, ModelInfo, "info")
    return info


def answer_line(number: object, what: Chunk | Exception) -> bytes:
    """The message for a chunk or an error of the stream ``number``."""
    if isinstance(what, Exception):
        return to_line("error", id=number, **error_fields(what))
    return to_line("chunk", id=number, **chunk_fields(what))


def error_fields(error: Exception) -> Message:
    known = isinstance(error, ModelError)
    message = str(error) if known else f"{type(error).__name__}: {error}"
    return {"unavailable": isinstance(error, ModelUnavailable), "message": " ".join(message.split())}


def read_error(fields: Message) -> ModelError:
    return (ModelUnavailable if fields["unavailable"] else ModelError)(fields["message"])
