"""The pinned list of releases, from which the data of edit examples are built."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tabspec.errors import InputError
from tabspec.train.corpus.fetch import SourceList

BUNDLED_RELEASES = Path(__file__).with_name("releases.toml")
TOGETHER = 12  # packages that a client fetches in one call


def read_releases(path: Path = BUNDLED_RELEASES) -> SourceList:
    """Read a list of releases: a table of versions by project, for pip and for npm. The releases of a project stand one
    after the other. Raises `InputError` if the file is not one."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of releases: {error}") from error
    found: dict[str, tuple[str, ...]] = {}
    for kind, sign in (("python", "=="), ("npm", "@")):
        table = data.get(kind, {})
        versions = table.values() if isinstance(table, dict) else [None]
        if not all(isinstance(own, list) and all(isinstance(v, str) for v in own) for own in versions):
            raise InputError(f"{path}: [{kind}] should have a list of versions for each project")
        found[kind] = tuple(f"{name}{sign}{version}" for name, own in table.items() for version in own)
    if not any(found.values()):
        raise InputError(f"{path}: has no releases; give them in [python] and [npm]")
    return SourceList(found["python"], found["npm"], (), ())
