"""`tabspec doctor`: installed packages, model, decoder, editors, and the data that would leave the machine."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tabspec.cli.doctor_sent import show_sent
from tabspec.config import EditForm, EditModelName
from tabspec.errors import InputError, TabspecError
from tabspec.machine import git_commit, machine
from tabspec.models.address import is_address, parse_address
from tabspec.models.daemon.client import ask
from tabspec.models.daemon.place import find
from tabspec.models.decoders.native_library import NativeMissing, installed
from tabspec.models.edit_protocol import PAST_CHARS
from tabspec.models.files.folder import ModelFolder
from tabspec.models.files.large import AUTO, INSTALL, LARGE, large_folder
from tabspec.models.files.mine import MINE, mine_folder, problem_of_mine, read_record
from tabspec.models.http import HttpModel
from tabspec.models.http.connection.route import route_to
from tabspec.models.load import BUNDLED, BUNDLED_EDITS, edits_here, load_model, writes_edits
from tabspec.models.protocol import ModelInfo
from tabspec.prompt.window import WindowSize
from tabspec.system import processes

_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "pygls", "lsprotocol", "cachetools")
_EDITORS = ("nvim", "code", "code-server", "hx", "emacs")

_Row = tuple[str, str | Text]
"""A name, and what is found of it."""


@click.command("doctor")
@click.option("--model", default=AUTO, show_default=True, help="Name, folder or address of a model.")
@click.option("--edit-model", default="", help="As the setting `edit_model`: what writes next edits  [default: auto].")
@click.option(
    "--edit-format",
    type=click.Choice([form.value for form in EditForm]),
    default=EditForm.AUTO.value,
    show_default=True,
    help="The format in which it writes them; auto: by the model's name.",
)
@click.option("--file", type=click.Path(path_type=Path), help="Show the request that would be sent for this file.")
@click.option("--line", type=click.IntRange(1), help="Line of the cursor, from 1.")
@click.option("--column", type=click.IntRange(1), help="Column of the cursor, from 1 (characters).")
def doctor_command(
    model: str, edit_model: str, edit_format: str, file: Path | None, line: int | None, column: int | None
) -> int:
    """Show what is installed, which model and decoder would run, and what would leave the machine.

    With --file, --line and --column: the exact requests for a suggestion and for a next edit at that place, and whether
    they would be sent.
    This command sends no text of yours; it only asks the server what it is.
    """
    if edit_model not in ("", *EditModelName):
        try:
            parse_address(edit_model)
        except TabspecError as error:
            raise InputError(f"--edit-model: {error}, or use {', '.join(EditModelName)}") from error
    if file is not None or line is not None or column is not None:
        if file is None or line is None or column is None:
            raise click.UsageError("--file, --line and --column belong together")
        return show_sent(file, line, column, model, edit_model, EditForm(edit_format))
    rows: list[_Row] = [*_machine(), *_packages(), _native(), *_editors()]
    fault = False
    used, by_large = "bundled" if model == AUTO else model, False
    try:
        info = _info(model)
        by_large = model == AUTO and _edits_by_large(info)
        rows.append(
            ("model", f"{info.name}, {info.context_tokens} tokens of context: {info.detail or info.fingerprint}")
        )
    except TabspecError as error:
        fault = True
        rows.append(("model", _red(error)))
    rows += [
        ("larger model", _large()),
        ("your own model", _mine()),
        ("daemon", _daemon()),
        ("leaves the machine", _leaving(used)),
        ("writes next edits", _edits(edit_model, used, by_large)),
    ]
    if edit_model:
        rows.append(("and for next edits", _leaving_for_edits(edit_model)))
    _print(rows)
    return 1 if fault else 0


def _print(rows: Sequence[_Row]) -> None:
    """Print names and what is found. Texts are printed as they are: a path may have brackets, which rich would read as
    markup."""
    table = Table.grid(Column(), Column(overflow="fold"), padding=(0, 2))
    for name, found in rows:
        table.add_row(Text(name, style="bold"), found if isinstance(found, Text) else Text(found))
    Console().print(table)


def _red(fault: object) -> Text:
    return Text(str(fault), style="red")


def _info(model: str) -> ModelInfo:
    """The model's description. A server is asked for it."""
    found = load_model(model)

    async def described() -> ModelInfo:
        try:
            if isinstance(found, HttpModel):
                await found.connect()
            return found.info
        finally:
            await found.close()

    return asyncio.run(described())


def _large() -> str:
    """Whether tabspec-large is installed. What `auto` makes of it is in the row of the model."""
    folder = large_folder()
    return f"not installed (optional; {INSTALL})" if folder is None else str(folder)


def _mine() -> str:
    """The state of what `tabspec train mine` has made."""
    if problem := problem_of_mine(BUNDLED):
        return problem
    record = read_record(mine_folder())
    before, after = (record.get(name, {}).get("reward", 0.0) for name in ("before", "after"))
    return (
        f"{mine_folder()}, used with --model {MINE} (reward on your last sessions {after:+,.0f}, before {before:+,.0f})"
    )


def _daemon() -> str | Text:
    try:
        reply = asyncio.run(ask(find(), "status"))
    except TabspecError as error:
        return _red(error)
    if reply is None:
        return "none is running (`tabspec daemon` starts one: one model for all editors)"
    return f"process {reply['pid']}, {reply['model']}, {reply['state']}, {reply['clients']} clients"


def _machine() -> list[_Row]:
    import tabspec

    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    return [
        ("tabspec", f"{tabspec.__version__} ({git_commit()}), {Path(tabspec.__file__).parent}"),
        ("machine", f"{machine()}{memory}, {platform.system()} {platform.release()}"),
        ("python", sys.executable),
    ]


def _packages() -> list[_Row]:
    found: list[_Row] = []
    for name in _PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, _red("not installed")))
    return found


def _native() -> _Row:
    try:
        library, level = installed()
    except NativeMissing as reason:
        return "tabspec-native", f"{reason}; torch decodes on the CPU"
    return "tabspec-native", f"in use on the CPU: {level} (of {', '.join(library.levels)}), {library.path}"


def _editors() -> list[_Row]:
    found: list[_Row] = []
    for name in _EDITORS:
        path = shutil.which(name)
        if path:
            printed = processes.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
            found.append((name, f"{(printed.splitlines() or ['?'])[0]} ({path})"))
    return found or [("editors", "none of " + ", ".join(_EDITORS) + " on PATH")]


def _edits_by_large(info: ModelInfo) -> bool:
    """Whether the larger model writes the edits of the model that ``info`` describes."""
    folder = large_folder()
    return folder is not None and info.edits == ModelFolder(folder).fingerprint(info.fingerprint)


def _edits(name: str, model: str, by_large: bool = False) -> str:
    """What writes edits that no pattern proposes. ``by_large``: the larger model does in place of the bundled one."""
    if is_address(name):
        return f"the model of {parse_address(name).base}"
    if edits_here(name, model):
        if writes_edits(model):
            return "the model itself"
        which, folder = ("larger", large_folder()) if by_large else ("bundled edit", BUNDLED_EDITS)
        return f"the {which} model, loaded at the first edit, from {folder}"
    if is_address(model) and name != EditModelName.OFF:
        return "the model of that server, if it is of a known family"
    return "no model; patterns propose edits"


def _leaving_for_edits(address: str) -> str:
    if address in tuple(EditModelName):
        return "nothing more"
    where = _leaving(address)
    # A server elsewhere gets the history, too.
    past = f"; and up to {PAST_CHARS} characters of your last edits, in any open file"
    return where if where.startswith("nothing") else where + past


def _leaving(model: str) -> str:
    mine = BUNDLED if problem_of_mine(BUNDLED) else mine_folder()
    own = {"bundled": BUNDLED, MINE: mine, LARGE: large_folder()}
    if model == LARGE and own[LARGE] is None:
        return "nothing: the model is not installed"
    if model in own or Path(model).exists():
        return f"nothing: the model runs here, from {own.get(model, model)}"
    if is_address(model):
        try:
            base = parse_address(model).base
        except TabspecError:
            return "nothing: the address cannot be used"
        route = route_to(base)
        if route.here:
            return f"nothing: {base} is this machine (what that server does with the text is up to it)"
        window = WindowSize()
        way = f", through the proxy {route.proxy_host}" if route.proxy else ""
        clear = ", unencrypted (http://)" if route.clear else ""
        return (
            f"to {base}{way}{clear}, with each request: up to {window.prefix_chars} characters before the cursor and "
            f"{window.suffix_chars} after it, and the file's base name; your key, if there is one. Not sent: text of "
            "files that ignore rules name, and requests whose text looks like it holds a secret"
        )
    return f"the model's name, to the Hugging Face Hub, if {model} is not downloaded yet; no text of yours"
