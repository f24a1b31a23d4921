"""`tabspec doctor --file`: the exact request that would be sent for a place in a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from tabspec.cli.complete import offset_of
from tabspec.cli.files import read_document
from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.engine.prompt_state import PromptState
from tabspec.errors import ModelError
from tabspec.models.address import is_address
from tabspec.models.http import HttpModel
from tabspec.models.http.model import Preview
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import WindowSize


def show_sent(file: Path, line: int, column: int, model: str | None) -> int:
    """Print destination, verdicts and body of the request.

    Raises `InputError` for files that ignore rules name: nothing of them is ever sent.
    """
    config = EngineConfig()
    document = read_document(file, config.max_document_chars)
    context = EditContext(document, offset_of(document, line, column))
    if not model or not is_address(model):
        click.echo("nothing would leave this machine: the model runs here")
        return 0
    request = request_for(context, config)
    preview, trouble = asyncio.run(_preview(model, request))
    route, key = preview.route, preview.key
    way = f"through the proxy {route.proxy_host}" if route.proxy else "directly"
    verdict = (
        "this machine: nothing leaves it"
        if route.here
        else f"NOT sent: the text around the cursor looks like it holds a secret ({preview.secret})"
        if preview.secret
        else "sent to another machine with each request like this one"
    )
    lines = [
        ("destination", preview.url),
        ("way", f"{way}{', unencrypted (http://)' if route.clear else ''}"),
        ("verdict", verdict),
        ("secrets", preview.secret or "none found"),
        ("your key", "sent (Authorization: Bearer ...)" if key.value else key.withheld or "there is none"),
        ("the server", trouble or "was asked what it is; no text of yours was sent"),
    ]
    for name, text in lines:
        click.echo(f"{name:<13}{text}")
    click.echo(preview.data)
    return 0


def request_for(context: EditContext, config: EngineConfig) -> GenerationRequest:
    """The engine's request for this place, without related code, which depends on the open files."""
    size = WindowSize(config.prefix_chars, config.suffix_chars, max(config.prefix_chars // 3, 1))
    stop = StopRule(config.max_lines, config.max_tokens, *config.doubt)
    return PromptState.of(context, size, "").request(stop)


async def _preview(url: str, request: GenerationRequest) -> tuple[Preview, str]:
    model = HttpModel(url)
    trouble = ""
    try:
        try:
            await model.connect()
        except ModelError as error:
            trouble = f"{error}; the request is made from the address alone"
        return model.preview(request), trouble
    finally:
        await model.close()
