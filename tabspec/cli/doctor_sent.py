"""`tabspec doctor --file`: the exact request that would be sent for a place in a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from tabspec.cli.complete import offset_of
from tabspec.cli.files import read_document
from tabspec.config import EditForm, EngineConfig
from tabspec.context import EditContext
from tabspec.engine.next_edits.state import EditState
from tabspec.engine.prompt_state import PromptState
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.address import is_address
from tabspec.models.http import HttpModel
from tabspec.models.http.edits import HttpEditModel
from tabspec.models.http.model import Preview
from tabspec.models.load import load_edit_model
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import WindowSize


def show_sent(
    file: Path, line: int, column: int, model: str | None, edit_model: str = "", form: EditForm = EditForm.AUTO
) -> int:
    """Print destination, verdicts and body of the requests for a completion and for a next edit.

    Raises `InputError` for files that ignore rules name: nothing of them is ever sent.
    """
    config = EngineConfig()
    document = read_document(file, config.max_document_chars)
    context = EditContext(document, offset_of(document, line, column))
    edits = load_edit_model(edit_model, form, model or "")
    if not is_address(model) and edits is None:
        click.echo("nothing would leave this machine: the model runs here")
        return 0
    if model and is_address(model):
        _show(*asyncio.run(_preview(model, request_for(context, config))))
    if edits is not None:
        found, trouble = asyncio.run(_preview_of_edit(edits, context, config))
        if found is not None:
            click.echo("\nfor a next edit, without the last edits, which are not known here:")
            _show(found, trouble)
        elif edit_model:
            raise ModelError(trouble)
    return 0


def _show(preview: Preview, trouble: str) -> None:
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


def request_for(context: EditContext, config: EngineConfig) -> GenerationRequest:
    """The engine's request for this place, without related code, which depends on the open files."""
    stop = StopRule(config.max_lines, config.max_tokens, *config.doubt)
    return PromptState.of(context, WindowSize.of(config), "").request(stop)


async def _preview_of_edit(
    model: HttpEditModel, context: EditContext, config: EngineConfig
) -> tuple[Preview | None, str]:
    """The request for an edit, and what was wrong. No request where the model writes no edits."""
    trouble = ""
    try:
        try:
            await model.connect()
        except ModelUnavailable as error:
            trouble = f"{error}; the request is made from the address alone"
        region = model.region
        if region is None:
            return None, ""
        state = EditState.of(context, region, WindowSize.of(config), "", lambda *_: ())
        if state is None:
            return None, "the cursor's line is too long for an edit"
        return model.preview(state.request(StopRule())), trouble
    except ModelError as error:
        return None, str(error)
    finally:
        await model.close()


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
