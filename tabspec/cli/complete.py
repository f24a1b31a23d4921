"""`tabspec complete`: one suggestion at a cursor in a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from tabspec.cli.files import read_document
from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.errors import InputError, ModelError
from tabspec.ignore import IgnoreRules, path_of
from tabspec.models.address import is_address
from tabspec.models.daemon.shared import connect_if_running
from tabspec.models.files.large import AUTO
from tabspec.models.load import load_model
from tabspec.models.protocol import Model
from tabspec.prompt.imported import read_imported
from tabspec.suggestion import Answer, Reason
from tabspec.text import Document, Position, PositionEncoding


@click.command("complete")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--line", type=click.IntRange(1), required=True, help="Line of the cursor, from 1.")
@click.option("--column", type=click.IntRange(1), required=True, help="Column of the cursor, from 1 (characters).")
@click.option("--model", default=AUTO, show_default=True, help="Name, folder or address of a model.")
@click.option(
    "--related-chars",
    type=click.IntRange(0, 100_000),
    default=EngineConfig().related_chars,
    show_default=True,
    help="Characters of related code in the prompt, from files that FILE imports.",
)
@click.option("--max-lines", type=click.IntRange(1, 64), default=1, show_default=True, help="Largest number of lines.")
def complete_command(file: Path, line: int, column: int, model: str, related_chars: int, max_lines: int) -> None:
    """Print one suggestion at a cursor in FILE; nothing if the model has none."""
    config = EngineConfig(policy=Policy.NONE, max_lines=max_lines, related_chars=related_chars)
    document = read_document(file, config.max_document_chars)
    context = EditContext(document, offset_of(document, line, column))
    answer = asyncio.run(_complete(context, model, config))
    if answer.reason in (Reason.FAILED, Reason.UNAVAILABLE):
        raise ModelError(answer.detail)
    if answer.suggestion:
        click.echo(answer.suggestion.text)


def offset_of(document: Document, line: int, column: int) -> int:
    """The offset of ``--line`` and ``--column``. Raises `InputError` if the file has no such place."""
    if line > document.line_count:
        raise InputError(f"--line {line}: the last line is {document.line_count}")
    length = len(document.line(line - 1))
    if column > length + 1:
        raise InputError(
            f"--column {column}: line {line} has {length} characters (the place after the last one is {length + 1})"
        )
    return document.offset(Position(line - 1, column - 1), PositionEncoding.UTF32)


def _folder(file: Path) -> Path:
    """The folder used as workspace folder: the working directory if it contains the file, else the file's folder."""
    here = Path.cwd()
    return here if file.is_relative_to(here) else file.parent


async def _shared(name: str) -> Model:
    """The daemon's model if a daemon runs with this model, else a model in this process."""
    model = await connect_if_running(name)
    return load_model(name) if model is None else model


async def _complete(context: EditContext, name: str, config: EngineConfig) -> Answer:
    model = load_model(name) if is_address(name) else await _shared(name)
    engine = CompletionEngine(model, config)
    if config.related_chars:
        file = Path(path_of(context.uri))
        folder, ignored = _folder(file), IgnoreRules.around(file).ignored
        engine.neighbours.imports(context.uri, read_imported(context.document, [folder], ignored))
    try:
        return await engine.complete(context)
    finally:
        await engine.close()
        await model.close()
