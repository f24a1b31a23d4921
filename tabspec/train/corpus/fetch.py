"""Fetches the packages of a source list with the package managers' own clients.

No package is installed, and no code of a package is run. Debian packages are unpacked.
"""

from __future__ import annotations

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


def fetch(sources: SourceList, folder: Path, progress: Callable[[str], None] = lambda name: None) -> list[str]:
    """Fetch packages that ``folder`` does not have yet. Returns the names of those that failed.

    If one package fails, the others are still fetched. If a client is not installed, all its packages fail.
    """
    for part in ("python", "npm", "debian"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    failed = []
    for name, command, done in _commands(sources, folder):
        progress(name)
        if done.exists():
            continue
        if shutil.which(command[0]) is None or not _run(command, folder / done.parent.name):
            failed.append(name)
        else:
            done.touch()
    for package in sorted((folder / "debian").glob("*.deb")):
        _run(["dpkg", "-x", package.name, "unpacked"], folder / "debian")
    return failed


def origins(folder: Path) -> list[Path]:
    """The packages in ``folder``, and this Python's standard library, as origins for `build_corpus`."""
    found = sorted((folder / "python").glob("*.whl")) + sorted((folder / "npm").glob("*.tgz"))
    crates = folder / "debian" / "unpacked" / "usr" / "share" / "cargo" / "registry"
    found += sorted(crates.iterdir()) if crates.is_dir() else []
    return [Path(sysconfig.get_paths()["stdlib"]), *found]


def _commands(sources: SourceList, folder: Path) -> Iterator[tuple[str, list[str], Path]]:
    """Name, command (for the kind's folder), and the file that marks the package as fetched."""
    pip = processes.python("pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
    for kind, names, command in (
        ("python", sources.python, pip),
        ("npm", sources.npm, ["npm", "pack", "--silent", "--ignore-scripts"]),
        ("debian", sources.debian, ["apt-get", "download", "--quiet"]),
    ):
        for name in names:
            yield name, [*command, name], folder / kind / f".{name.replace('/', '+')}.done"


def _run(command: list[str], folder: Path) -> bool:
    try:
        processes.run(command, cwd=folder, check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
