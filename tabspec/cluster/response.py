"""Converts a model's chunks to the events of OpenAI's completions API. Pure.

Events for tabspec's own client also carry the chunk under "tabspec": its log-probabilities, counts and finish reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tabspec.cluster.request_body import ClusterRequest
from tabspec.models.messages import chunk_fields, info_fields
from tabspec.models.protocol import Chunk, ModelInfo, Usage
from tabspec.suggestion import Finish

Json = dict[str, Any]

OWNER = "tabspec"
"""The value of ``owned_by`` by which tabspec's client recognizes this server."""


def model_list(info: ModelInfo, slots: int) -> Json:
    """The response to /v1/models. For tabspec's client it includes the model's full `ModelInfo` and ``slots``: how many
    requests one client should send at a time."""
    ours = {"info": info_fields(info), "slots": slots}
    entry = {"id": info.name, "object": "model", "owned_by": OWNER, "max_model_len": info.context_tokens}
    return {"object": "list", "data": [entry | {OWNER: ours}]}


def error(message: str, kind: str = "invalid_request_error") -> Json:
    """An error object in OpenAI's format."""
    return {"error": {"message": message, "type": kind}}


@dataclass
class StopTexts:
    """Truncates a streamed text before the first occurrence of one of ``stops``. The end of the text is held back while
    it may be the beginning of a stop text."""

    stops: Sequence[str]
    held: str = ""
    hit: bool = False

    def take(self, text: str) -> str:
        """Append ``text``, and return the part that can be sent now."""
        self.held += text
        # Another stop text may begin before one that is complete, and end later.
        begun = len(self.held) - max((_overlap(self.held, stop) for stop in self.stops), default=0)
        at = self._first()
        self.hit = at is not None and at <= begun
        emitted, self.held = (self.held[:at], "") if self.hit else (self.held[:begun], self.held[begun:])
        return emitted

    def rest(self) -> str:
        """Return the text that was held back, up to a stop text. To be called at the end of the text."""
        at = self._first()
        self.hit = at is not None
        emitted, self.held = self.held[:at], ""
        return emitted

    def _first(self) -> int | None:
        """Where the first complete stop text begins."""
        return min((at for stop in self.stops if (at := self.held.find(stop)) >= 0), default=None)


def _overlap(text: str, stop: str) -> int:
    """Length of the longest suffix of ``text`` that is a prefix of ``stop``."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


@dataclass
class ResponseEvents:
    """The state of one response. ``number`` is its id, ``created`` a Unix time, ``model`` the model's name. ``over``:
    the response is complete."""

    asked: ClusterRequest
    number: str
    created: int
    model: str
    usage: Usage = Usage()
    over: bool = False
    _stops: StopTexts = field(init=False)
    _texts: list[str] = field(default_factory=list)
    _tokens: list[str] = field(default_factory=list)
    _logprobs: list[float] = field(default_factory=list)
    _finish: str | None = None

    def __post_init__(self) -> None:
        self._stops = StopTexts(self.asked.stops)

    def take(self, chunk: Chunk) -> list[Json]:
        """The events for a chunk. Sets ``over`` when no more chunks are needed."""
        self.usage += chunk.usage
        text = self._stops.take(chunk.text)
        if chunk.finish and not self._stops.hit:
            text += self._stops.rest()
        if self._stops.hit:
            chunk = replace(chunk, finish=Finish.STOP)
        chunk = replace(chunk, text=text)
        self._finish = None if chunk.finish is None else "length" if chunk.finish is Finish.LENGTH else "stop"
        self.over = chunk.finish is not None
        tokens, logprobs = _token_names(chunk), list(chunk.logprobs)
        self._texts.append(text)
        self._tokens += tokens
        self._logprobs += logprobs
        if not (text or tokens or self.over or self.asked.ours):
            return []  # the chunk has only counts, which OpenAI's clients receive at the end
        event = self._event(text, tokens, logprobs)
        return [event | {OWNER: chunk_fields(chunk)}] if self.asked.ours else [event]

    def end(self) -> list[Json]:
        """The events after the last chunk."""
        if not self.asked.usage:
            return []
        return [self._object([]) | {"usage": self._counts()}]

    def whole(self) -> Json:
        """The whole answer, for a client that does not stream."""
        event = self._event("".join(self._texts), self._tokens, self._logprobs)
        return event | {"usage": self._counts()}

    def _event(self, text: str, tokens: list[str], logprobs: list[float]) -> Json:
        logprobs_object = {"tokens": tokens, "token_logprobs": logprobs} if self.asked.logprobs else None
        return self._object([{"index": 0, "text": text, "logprobs": logprobs_object, "finish_reason": self._finish}])

    def _object(self, choices: list[Json]) -> Json:
        return {
            "id": self.number,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }

    def _counts(self) -> Json:
        prompt, decoded = self.usage.prefill + self.usage.reused, self.usage.decoded
        return {
            "prompt_tokens": prompt,
            "completion_tokens": decoded,
            "total_tokens": prompt + decoded,
            "prompt_tokens_details": {"cached_tokens": self.usage.reused},
        }


def _token_names(chunk: Chunk) -> list[str]:
    """Tokens as ids, in the form of vLLM's ``return_tokens_as_token_ids``. The text of a token may be an incomplete
    character, so it cannot be sent."""
    return [f"token_id:{token}" for token in chunk.tokens]
