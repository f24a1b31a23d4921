"""What the front and the worker process say to each other: JSON objects, one a line.

Front to worker: ``load`` (once), ``request``, ``cancel``. Worker to front: ``loading``, ``ready`` or ``failed``, then
for each request ``chunk`` and at most one ``error``. The key "op" says which.

The daemon (`tabspec.models.daemon`) speaks the same over a socket. There, ``load`` tells besides what the client takes
for the same model (``identity``) and, over TCP, the ``token``; ``status`` and ``stop`` may stand in its place.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from tabspec.calibration import Calibration
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.protocol import Beginning, Chunk, GenerationRequest, ModelInfo, RelatedText, StopRule, Usage
from tabspec.suggestion import Finish
from tabspec.trimming.settled import Around

Message = dict[str, Any]

# A request holds a few kilobytes of text; a related file at most a few hundred.
LONGEST_LINE = 1 << 26


def to_line(op: str, **fields: Any) -> bytes:
    """A message as a line. Lone surrogates survive (as \\u escapes)."""
    return json.dumps({"op": op, **fields}, separators=(",", ":")).encode("ascii") + b"\n"


def from_line(line: bytes) -> Message:
    """Raises `ValueError` if the line is no message."""
    message = json.loads(line)
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise ValueError(f"not a message: {line[:80]!r}")
    return message


def request_fields(request: GenerationRequest) -> Message:
    return asdict(request)


def read_request(fields: Message) -> GenerationRequest:
    related = tuple(RelatedText(**text) for text in fields["related"])
    around = fields["stop"].get("around")
    stop = StopRule(**{**fields["stop"], "around": around and Around(**around)})
    return GenerationRequest(**{**fields, "related": related, "stop": stop})


def chunk_fields(chunk: Chunk) -> Message:
    """Short names and only what is set: there is one of these for each token."""
    fields: Message = {"text": chunk.text, "usage": [chunk.usage.prefill, chunk.usage.reused, chunk.usage.decoded]}
    if chunk.tokens:
        fields |= {"tokens": chunk.tokens, "logprobs": chunk.logprobs}
    if chunk.beginnings:
        fields["beginnings"] = [[each.text, each.logprob] for each in chunk.beginnings]
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
    )


def info_fields(info: ModelInfo) -> Message:
    return asdict(info)


def read_info(fields: Message) -> ModelInfo:
    curve = fields.get("calibration")
    return ModelInfo(**{**fields, "calibration": Calibration(**curve) if curve else None})


def answer_line(number: object, what: Chunk | Exception) -> bytes:
    """What a stream's number is answered with: a ``chunk`` or an ``error``."""
    if isinstance(what, Exception):
        return to_line("error", id=number, **error_fields(what))
    return to_line("chunk", id=number, **chunk_fields(what))


def error_fields(error: Exception) -> Message:
    known = isinstance(error, ModelError)
    message = str(error) if known else f"{type(error).__name__}: {error}"
    return {"unavailable": isinstance(error, ModelUnavailable), "message": " ".join(message.split())}


def read_error(fields: Message) -> ModelError:
    return (ModelUnavailable if fields["unavailable"] else ModelError)(fields["message"])
