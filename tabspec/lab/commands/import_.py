"""`tabspec import`: edit sessions from other programs' recordings and from git history."""

from __future__ import annotations

from pathlib import Path

import click

from tabspec.errors import InputError
from tabspec.lab.converters.git import import_git
from tabspec.lab.converters.session_writer import summary, write_session
from tabspec.lab.converters.vscode import read_documents, read_recording
from tabspec.replay.sessions.session import Session

_ENDINGS = (".jsonl", ".jsonl.gz")

_output = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Session file to write: NAME.jsonl or NAME.jsonl.gz.",
)
_licence = click.option("--licence", default=None, help="Licence of the text, for the session's header.")


@click.group("import")
def import_group() -> None:
    """Make edit sessions from recordings or git history."""


@import_group.command("vscode-recording")
@click.argument("file", type=click.Path(path_type=Path))
@_output
@click.option("--document", default=None, help="End of the path of the document to import  [default: the most edited].")
@_licence
def vscode_command(file: Path, output: Path, document: str | None, licence: str | None) -> None:
    """Import a workspaceRecording@1.0 of VS Code (FILE: *.recording.w.json, or its JSON lines).

    OUTPUT is a file for one document, or a folder for all of them, which `tabspec replay` replays together. The actions
    of the editor's own assistant are written to side files.
    """
    if document is None and not output.suffix:
        _write(read_documents(file, licence=licence or ""), output, folder=True)
    else:
        _write([read_recording(file, document=document, licence=licence or "")], output)


@import_group.command("git")
@click.argument("repository", type=click.Path(path_type=Path))
@click.argument("path")
@_output
@click.option("--commits", default="HEAD", show_default=True, help="Commit or range, as for git log.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same keystrokes.")
@click.option("--max-commits", type=click.IntRange(1), default=None, help="Use only the first N commits of each file.")
@click.option("--max-events", type=click.IntRange(1), default=None, help="Start no further commit after N edits.")
@_licence
def git_command(
    repository: Path,
    path: str,
    output: Path,
    commits: str,
    seed: int,
    max_commits: int | None,
    max_events: int | None,
    licence: str | None,
) -> None:
    """Make a session from the history of PATH in a local git REPOSITORY: a simulated typist types each commit.

    The texts are real and the keystrokes synthetic; the session is marked as such. PATH may be a pattern (src/*.py).
    If several files match it, OUTPUT is a folder.
    """
    sessions = import_git(
        repository,
        path,
        commits=commits,
        seed=seed,
        licence=licence,
        max_commits=max_commits,
        max_events=max_events,
    )
    _write(sessions, output)


def _write(sessions: list[Session], output: Path, folder: bool = False) -> None:
    """Write one session to a file, or several into a folder, and print a line for each. ``folder``: also a single one
    may be written into a folder."""
    single = output.name.endswith(_ENDINGS)
    if single and len(sessions) > 1:
        raise InputError(f"{len(sessions)} files match, but {output} is one file: give a folder to -o")
    if not single and ((len(sessions) == 1 and not folder) or output.is_file()):
        raise InputError(f"{output}: a session file's name ends with .jsonl or .jsonl.gz")
    for session in sessions:
        flat = session.uri.removeprefix("file:///session/").replace("/", "-")
        path = output if single else output / f"{flat}.jsonl.gz"
        write_session(session, path)
        click.echo(f"{path}: {summary(session)}")
        for warning in session.warnings:
            click.echo(f"warning: {warning}", err=True)
