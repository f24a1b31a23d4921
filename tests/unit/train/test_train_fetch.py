"""Source lists and what is fetched from them. The package managers are replaced: no test asks a registry."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tabspec.errors import InputError
from tabspec.train.corpus import fetch as fetching
from tabspec.train.corpus.fetch import SourceList, fetch, origins, read_list


def test_the_bundled_list_pins_every_package() -> None:
    listed = read_list()
    assert len(listed.python) > 200
    assert all(name.count("==") == 1 for name in listed.python)
    assert all("@" in name[1:] for name in listed.npm)
    assert all("=" in name and name.startswith(("librust-", "golang-")) for name in listed.debian)
    fetched = {name.split("==")[0] for name in listed.python} | {name.rsplit("@", 1)[0] for name in listed.npm}
    fetched |= {name.split("=")[0] for name in listed.debian}
    assert all(name in fetched or f"librust-{name}-dev" in fetched for name in listed.held_out)


@pytest.mark.parametrize("text", ["python = [1]", "python = 'a'", "not toml ="])
def test_a_list_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(InputError):
        read_list(tmp_path / "list.toml")


def test_what_cannot_be_had_is_named_and_the_rest_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def run(command: list[str], cwd: Path, **_: Any) -> None:
        asked.append(command[-1])
        if command[-1] == "gone==1":
            raise subprocess.CalledProcessError(1, command)
        (cwd / f"{command[-1].split('==')[0]}-1-py3-none-any.whl").write_bytes(b"")

    monkeypatch.setattr(fetching.subprocess, "run", run)
    sources = SourceList(("here==1", "gone==1"), (), (), ())
    assert fetch(sources, tmp_path) == ["gone==1"]
    assert fetch(sources, tmp_path) == ["gone==1"]
    assert asked == ["here==1", "gone==1", "gone==1"]
    assert tmp_path / "python" / "here-1-py3-none-any.whl" in origins(tmp_path)
