"""Imports sessions from git history: a simulated typist (`tabspec.lab.converters.typist`) types each commit of a file.

The sessions are marked as synthetic: the texts are real, the keystrokes are not.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tabspec.errors import SessionError
from tabspec.ignore import IgnoreRules
from tabspec.ignore_file import FILE_NAME, RulesError, parse_rules
from tabspec.lab.converters.git_command import run_git
from tabspec.lab.converters.typist import Typist
from tabspec.models.http.secrets import secret_in
from tabspec.replay.sessions.session import MAX_DOCUMENT_CHARS, Session
from tabspec.syntax.language_ids import language_of

# SPDX names, each with phrases that its licence text contains.
_LICENCES = {
    "MIT": ("permission is hereby granted, free of charge",),
    "Apache-2.0": ("apache license", "version 2.0"),
    "BSD-3-Clause": ("redistribution and use in source and binary forms", "neither the name"),
    "BSD-2-Clause": ("redistribution and use in source and binary forms",),
    "MPL-2.0": ("mozilla public license", "2.0"),
    "GPL-3.0": ("gnu general public license", "version 3"),
}


def import_git(
    repository: str | Path,
    pattern: str,
    *,
    commits: str = "HEAD",
    seed: int = 0,
    licence: str | None = None,
    max_commits: int | None = None,
    max_events: int | None = None,
) -> list[Session]:
    """A session for each file of ``repository`` that matches ``pattern`` (a path, or a glob over whole paths).

    ``commits``: a revision or range as for ``git log``. Of merges, only the first parent is followed. The first
    ``max_commits`` of a file's commits are used, and no further commit after ``max_events`` edits. ``licence``: the
    licence in the session's header (None: that of the repository's licence file). Raises `SessionError` if git, the
    repository, the range or a matching file is missing.
    """
    root = Path(repository)
    if commits.startswith("-"):
        raise SessionError(f"{commits!r} is no commit or range of commits; it must not start with '-'")
    _git(root, "rev-parse", "--git-dir")
    last = _git(root, "rev-list", "-1", commits, "--").strip()
    if not last:
        raise SessionError(f"{root}: no commits in {commits!r}")
    paths = _git(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", last).split("\0")
    named = [path for path in paths if path and (path == pattern or fnmatch(path, pattern))]
    if not named:
        raise SessionError(f"{root}: no file fits {pattern!r} at {commits}; give paths from the repository's root")
    fitting = _not_ignored(root, last, named)
    if not fitting:
        raise SessionError(f"{root}: ignore rules name all files that fit {pattern!r}, so they are left alone")
    licence = licence if licence is not None else _licence(root, last, paths)
    sessions = [
        _session(root, path, commits, seed=seed, max_commits=max_commits, max_events=max_events) for path in fitting
    ]
    found = [replace(session, licence=licence) for session in sessions if session.edits]
    if not found:
        raise SessionError(f"{root}: {commits} does not change a file that fits {pattern!r}, or not as text")
    return found


def _not_ignored(root: Path, commit: str, paths: list[str]) -> list[str]:
    """The paths that no ignore rule matches.

    The rules are the built-in ones, those on disk at the repository's top and in ``root``, and those in the commit.
    Raises `SessionError` if rules cannot be read.
    """
    here = root.resolve()
    done = run_git(root, "rev-parse", "--show-toplevel")
    top = Path(done.stdout.decode("utf-8", "replace").strip() or here) if not done.returncode else here
    if not here.is_relative_to(top):  # a repository's configuration can set another work tree
        top = here
    committed = run_git(root, "cat-file", "blob", f"{commit}:{FILE_NAME}")
    try:
        lines = parse_rules(committed.stdout).lines if not committed.returncode else ()
    except RulesError as error:
        raise SessionError(f"{root}: {FILE_NAME} in {commit[:12]}: {error}") from None
    of_commit, on_disk = IgnoreRules({top: lines}), IgnoreRules.read(dict.fromkeys((top, here)))
    if on_disk.closed:
        raise SessionError("; ".join(on_disk.problems))
    uris = {path: (top / path).as_uri() for path in paths}
    return [path for path, uri in uris.items() if not of_commit.ignored(uri) and not on_disk.ignored(uri)]


def _session(
    root: Path, path: str, commits: str, *, seed: int, max_commits: int | None, max_events: int | None
) -> Session:
    # Not `git log`, because settings can make it run programs (log.showSignature).
    found = _git(root, "rev-list", "--first-parent", "--reverse", commits, "--", f":(top,literal){path}")
    hashes = found.split()[:max_commits]
    first = _text(root, f"{hashes[0]}^", path) if hashes else None
    typist = Typist(first or "", seed)
    typed: list[str] = []
    for commit in hashes:
        if max_events is not None and len(typist.events) >= max_events:
            break
        text = _text(root, commit, path)
        if text is None:  # Deleted in this commit, or not text: the next commit is typed from the current text.
            continue
        typist.pause()
        typist.write(text)
        typed.append(commit)
    span = f"{typed[0][:12]}..{typed[-1][:12]}" if typed else ""
    return Session(
        first or "",
        tuple(typist.events),
        source=f"git:{_name(root)}@{span}:{path} (typed by tabspec import git, seed {seed})",
        language=language_of(path),
        uri=f"file:///session/{path}",
        synthetic=True,
        extra={"commits": typed},
        name=PurePosixPath(path).name,
    )


def _text(root: Path, commit: str, path: str) -> str | None:
    """The file's text at a commit. None if it is missing, too large or not text."""
    blob = run_git(root, "cat-file", "blob", f"{commit}:{path}", most_bytes=4 * MAX_DOCUMENT_CHARS)
    if blob.returncode:
        return None
    try:
        text = blob.stdout.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if "\0" not in text and len(text) <= MAX_DOCUMENT_CHARS else None


def _name(root: Path) -> str:
    """The name of the repository: from its origin, otherwise its folder's name. It has no local path, user or token."""
    origin = run_git(root, "config", "--get", "remote.origin.url").stdout.decode("utf-8", "replace").strip()
    name = origin_name(origin)
    return name if name and not secret_in([name]) else root.resolve().name.removesuffix(".git")


def origin_name(url: str) -> str:
    """The last two parts of the path in a repository's URL. "" if the URL has no server.

    The other parts (user, password, query, fragment) may contain a token.
    """
    if "://" in url:
        try:
            path = urlsplit(url).path
        except ValueError:
            return ""
        if url.startswith("file:"):
            return ""
    elif match := re.match(r"(?:[^@/\s]*@)?[\w.-]{2,}:(?!//)(?P<path>[^?#]*)", url):  # user@host:path
        path = match["path"]
    else:
        return ""
    parts = [part for part in path.split("/") if re.fullmatch(r"[\w.~+-]{1,100}", part)]
    return "/".join(parts[-2:]).removesuffix(".git")


def _licence(root: Path, commit: str, paths: list[str]) -> str:
    """The SPDX name of the licence in the repository's licence file. "" if it is unknown."""
    for path in paths:
        if path.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
            text = " ".join((_text(root, commit, path) or "").lower().split())
            for name, marks in _LICENCES.items():
                if all(mark in text for mark in marks):
                    return name
    return ""


def _git(root: Path, *arguments: str) -> str:
    done = run_git(root, *arguments)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["git failed"]
        raise SessionError(f"{root}: {lines[0].removeprefix('fatal: ')}")
    return done.stdout.decode("utf-8", "replace")
