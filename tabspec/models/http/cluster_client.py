"""The client of our own server (`tabspec.cluster`): sends a `GenerationRequest`, and receives chunks.

So the answers equal those of the same model in this process, and neither the FIM format nor the tokenizer is needed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.http.answers.reading import Events
from tabspec.models.http.apis import Ask
from tabspec.models.http.connection.body import DONE
from tabspec.models.http.connection.failures import Busy, Refused, TooLong
from tabspec.models.http.detect import ServerInfo
from tabspec.models.http.leaving import SecretFound
from tabspec.models.messages import read_chunk
from tabspec.models.protocol import Chunk, GenerationRequest
from tabspec.suggestion import Finish

# An answer that broke off is continued once: the address may lead to many machines, and one of them may have stopped.
TRIES = 2


async def answer(
    events_of: Events, server: ServerInfo, name: str, request: GenerationRequest, around: bool
) -> AsyncGenerator[Chunk, None]:
    """The model's chunks. An answer that breaks off is continued there. Raises `ModelError`."""
    emitted, tokens = "", 0
    for last in (*[False] * (TRIES - 1), True):
        ask = ask_cluster(server, name, replace(request, resume=request.resume + emitted), around)
        try:
            async with aclosing(events_of(ask)) as events:
                async for event in events:
                    if event is DONE:
                        break
                    chunk = _chunk(event)
                    emitted += chunk.text
                    tokens += len(chunk.tokens) or bool(chunk.text)
                    if chunk.finish is None and tokens > request.stop.max_tokens:  # a server that knows no limit
                        yield replace(chunk, finish=Finish.LENGTH)
                        return
                    yield chunk
                    if chunk.finish:
                        await anext(events, None)  # the end of the stream, with which the connection can be used again
                        return
            raise ModelUnavailable("the server's answer broke off")
        except (Refused, TooLong, Busy, SecretFound):
            raise
        except ModelError:
            if last:
                raise


def ask_cluster(server: ServerInfo, name: str, request: GenerationRequest, around: bool) -> Ask:
    """The HTTP request. ``name`` identifies the editor, whose requests go to the replica that has its KV cache.
    ``around``: with the document's text around the window, up to some 70 KB, for the n-gram cache."""
    question = asdict(request)
    del question["foreground"]
    if not around:
        del question["before"], question["after"]
    body: dict[str, Any] = {"model": server.model, "stream": True, "temperature": 0, "user": name}
    if not request.foreground:
        body["priority"] = 1
    return Ask("/v1/completions", body | {"tabspec": question})


def _chunk(event: dict[str, Any]) -> Chunk:
    try:
        return read_chunk(event["tabspec"])
    except (KeyError, TypeError, ValueError):
        raise ModelError("the server reports to be tabspec, but its events differ: is it a newer version?") from None
