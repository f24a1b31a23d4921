"""What to set in the address, for servers that refuse a request because the address does not fit them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from tabspec.errors import ModelError
from tabspec.models.http.apis import Ask
from tabspec.models.http.connection.failures import NoApi, Refused
from tabspec.models.http.connection.wire import Wire
from tabspec.models.http.detect import ServerInfo, ServerKind, entries_of
from tabspec.system.quoted import quoted

# Folders in which servers and gateways keep OpenAI's API if it is not at the root: Lemonade and OpenRouter (/api),
# Groq and several gateways (/openai), Fireworks (/inference), Docker Model Runner (/engines).
_FOLDERS = ("/api", "/openai", "/inference", "/engines")
# Seconds for asking all of them. The request waits meanwhile; a server that hangs gets the message without an address.
SEARCH_S = 3.0


async def hint(error: Refused, wire: Wire, server: ServerInfo, ask: Ask) -> ModelError:
    """The refusal of ``ask`` with what to set, where that is known; else ``error``."""
    reason = error.reason.lower()
    quote = f" ({quoted(error.reason)})" if error.reason else ""
    # vLLM: "suffix is not currently supported"; Docker Model Runner: "Unsupported param: suffix";
    # Ollama: "registry.ollama.ai/library/NAME does not support insert"
    if "suffix" in ask.body and ("suffix" in reason or "insert" in reason):
        return ModelError(_without_suffix(wire.base, server, quote))
    if not isinstance(error, NoApi):
        return error
    names = await _models_at(wire, wire.base)
    # vLLM: "The model `NAME` does not exist."; Ollama: "model 'NAME' not found". Of a model that OpenAI lists, it is
    # "This is a chat model and not supported in the v1/completions endpoint."
    if "model" in reason and names and server.model not in names:
        listed = quoted(", ".join(names))
        return ModelError(f"{wire.base} has no model {server.model}{quote}: put {wire.base}#NAME; it has {listed}")
    trouble = f"answers {ask.path} with a web page" if error.status == 200 else f"has no {ask.path}{quote}"
    if names:
        return ModelError(
            f"{wire.base} lists models, and {trouble}: name a server that completes code, such as llama.cpp, vLLM or "
            "Ollama; this one may answer chats only"
        )
    return ModelError(await wrong_base(wire, trouble, server.model))


async def wrong_base(wire: Wire, trouble: str, model: str) -> str:
    """The message for an address without an API: with the address that has it, if that is found on the same server."""
    path = urlsplit(wire.base).path
    root = wire.base.removesuffix(path)
    parents = [root + path[:at] for at in range(len(path) - 1, -1, -1) if path[at] == "/"]
    with suppress(TimeoutError):
        async with asyncio.timeout(SEARCH_S):
            for place in [*parents, *(root + folder for folder in _FOLDERS)]:
                if place != wire.base and await _models_at(wire, place):
                    return f"{wire.base} {trouble}: set the model's address to {place}{f'#{model}' if model else ''}"
    name = "" if model else f", or name the model: {wire.base}#MODEL"
    return f"{wire.base} {trouble}: set the model's address to the URL that its documentation has before /v1{name}"


def _without_suffix(base: str, server: ServerInfo, quote: str) -> str:
    if server.kind is ServerKind.OLLAMA:
        return (
            f"{base}: the template of {server.model} has no place for the text after the cursor{quote}; "
            f"put a model for code completion, such as {base}#qwen2.5-coder:1.5b-base"
        )
    return (
        f"{base} does not take the text after the cursor as suffix{quote}: name the FIM format of its model, "
        f"for example {base}?format=qwen2.5-coder#{server.model}"
    )


async def _models_at(wire: Wire, base: str) -> list[str]:
    """The names at ``base``/v1/models; none if no API is there."""
    try:
        _, found = await wire.document("/v1/models", base)
    except ModelError:
        return []
    names = [entry.get("id") for entry in entries_of(found)]
    return [name for name in names if isinstance(name, str) and name.isprintable()]
