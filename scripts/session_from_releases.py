"""A session from released versions of one file: a repository with a commit for each, then `tabspec import git`.

How tabspec/replay/sessions/python-cachetools.jsonl.gz was made, from the released wheels of cachetools:

    python scripts/session_from_releases.py tkem/cachetools src/cachetools/__init__.py "MIT (Thomas Kemmer)" \\
        tabspec/replay/sessions/python-cachetools.jsonl.gz \\
        v4.2.4=OLD/cachetools/__init__.py v5.0.0=NEWER/cachetools/__init__.py v5.2.1=NEWEST/cachetools/__init__.py

The first version is the text that the session starts with.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tabspec.lab.converters.git import import_git
from tabspec.lab.converters.session_writer import summary, write_session

SEED = 1


def main(name: str, path: str, licence: str, output: str, *releases: str) -> None:
    """Write the session of ``releases`` ("VERSION=FILE") of repository ``name``'s file ``path`` to ``output``."""
    versions = [release.partition("=")[0] for release in releases]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        git(root, "init", "-q")
        for release in releases:
            version, _, file = release.partition("=")
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(Path(file).read_bytes())
            git(root, "add", "-A")
            git(root, "commit", "-qm", version, "--allow-empty")
        (session,) = import_git(root, path, commits=f"HEAD~{len(versions) - 1}..HEAD", seed=SEED, licence=licence)
    span = f"{versions[0]}..{versions[-1]}"
    session = replace(
        session,
        source=f"git:{name}@{span}:{path} (released versions, typed by tabspec import git, seed {SEED})",
        extra={"versions": versions},
    )
    write_session(session, output)
    print(f"{output}: {summary(session)}")


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=tabspec", "-c", "user.email=tabspec@example.org", "-c", "commit.gpgsign=false"]
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, env=environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
