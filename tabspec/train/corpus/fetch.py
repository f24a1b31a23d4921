"""Fetches the packages of a source list with the package managers' own clients.

No package is installed, and no code of a package is run. Debian packages of crates are unpacked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tabspec.errors import InputError
from tabspec.system import processes

BUNDLED_LIST = Path(__file__).with_name("sources.toml")
_SECONDS = 300  # for one package; the largest has 60 MB


@dataclass(frozen=True, slots=True)
class SourceList:
    """Packages with versions in their client's syntax (``name==1``, ``name@1``, ``name=1``); projects to hold out."""

    python: tuple[str, ...]
    npm: tuple[str, ...]
    debian: tuple[str, ...]
    held_out: tuple[str, ...]


def read_list(path: Path = BUNDLED_LIST) -> SourceList:
    """Read a source list. Raises `InputError` if the file is not one."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of sources: {error}") from error
    kinds = []
    for kind in ("python", "npm", "debian", "held_out"):
        names = data.get(kind, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{path}: {kind} should be a list of names")
        kinds.append(tuple(names))
    return SourceList(*kinds)


def fetch(
    sources: SourceList, folder: Path, progress: Callable[[str], None] = lambda name: None, together: int = 1
) -> list[str]:
    """Fetch packages that ``folder`` does not have yet. Returns the names of those that failed.

    If one package fails, the others are still fetched. If a client is not installed, all its packages fail. Each call
    of a client fetches at most ``together`` packages, of different projects: starting a client takes a second.
    """
    for part in ("python", "npm", "debian"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    failed = []
    for kind, names, command in _clients(sources):
        place = folder / kind
        missing = [name for name in names if not _mark(place, name).exists()]
        for name in set(names).difference(missing):
            progress(name)
        for group in _groups(missing, together):
            got = group if _fetched(command, group, place) else []
            if not got and len(group) > 1:
                got = [name for name in group if _fetched(command, [name], place)]
            failed += [name for name in group if name not in got]
            for name in group:
                progress(name)
    for package in sorted((folder / "debian").glob("librust-*.deb")):
        _run(["dpkg", "-x", package.name, "unpacked"], folder / "debian")
    return failed


def origins(folder: Path) -> list[Path]:
    """The packages in ``folder``, and this Python's standard library, as origins for `build_corpus`."""
    found = sorted((folder / "python").glob("*.whl")) + sorted((folder / "npm").glob("*.tgz"))
    crates = folder / "debian" / "unpacked" / "usr" / "share" / "cargo" / "registry"
    found += sorted(crates.iterdir()) if crates.is_dir() else []
    found += sorted((folder / "debian").glob("golang-*.deb"))
    return [Path(sysconfig.get_paths()["stdlib"]), *found]


def _clients(sources: SourceList) -> Iterator[tuple[str, tuple[str, ...], list[str]]]:
    """Of each kind: the packages, and the command to which their names are appended."""
    pip = processes.python("pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
    yield "python", sources.python, pip
    yield "npm", sources.npm, ["npm", "pack", "--silent", "--ignore-scripts"]
    yield "debian", sources.debian, ["apt-get", "download", "--quiet"]


def _mark(folder: Path, name: str) -> Path:
    """The file that marks a package as fetched."""
    return folder / f".{name.replace('/', '+')}.done"


def _groups(names: list[str], most: int) -> Iterator[list[str]]:
    """The names in groups of at most ``most``, each with one version of a project at most."""
    groups: list[dict[str, str]] = []
    for name in names:
        project = re.split(r"==|(?<=.)@|=", name)[0]
        group = next((g for g in groups if len(g) < most and project not in g), None)
        if group is None:
            group = {}
            groups.append(group)
        group[project] = name
    return (list(group.values()) for group in groups)


def _fetched(command: list[str], names: list[str], folder: Path) -> bool:
    if shutil.which(command[0]) is None or not _run([*command, *names], folder):
        return False
    for name in names:
        _mark(folder, name).touch()
    return True


def _run(command: list[str], folder: Path) -> bool:
    try:
        processes.run(command, cwd=folder, check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
