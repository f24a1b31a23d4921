"""From packages to the data of edit examples: pairs of releases, held-out projects left out, the list of releases."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tabspec.cli.main import tabspec
from tabspec.errors import InputError
from tabspec.lab.evaluation.next_edit.releases.steps import read_steps, release_steps
from tabspec.train.corpus import fetch as fetching
from tabspec.train.corpus.fetch import SourceList, fetch, read_list
from tabspec.train.corpus.store import Corpus, CorpusWriter
from tabspec.train.edits.build import PairLimits, build_releases, packages_by_project, release_pairs, sample_texts
from tabspec.train.edits.hunks import applied
from tabspec.train.edits.listed import read_releases
from tabspec.train.edits.pack import Releases

BODY = [f"def function_{n}(first, second):\n    return first + second * {n} + unknown_{n}\n\n" for n in range(12)]


def _wheel(folder: Path, name: str, version: str, files: dict[str, str], licence: str = "MIT") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nLicense-Expression: {licence}\n")
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Three releases of a project, two of a held-out one and of one under another licence."""
    first = "".join(BODY)
    second = first.replace("first +", "one +")
    third = second.replace("unknown_3", "known").replace("unknown_4", "known")
    folder = tmp_path / "packages" / "python"
    for version, text in (("1.9", first), ("1.10", second), ("1.11", third)):
        files = {"good/a.py": text, "good/_version.py": f"version = '{version}'\n" * 20}
        _wheel(folder, "good", version, files)
        _wheel(folder, "apart", version, {"apart/a.py": text})
        _wheel(folder, "closed", version, {"closed/a.py": text}, "GPL-3.0-only")
    return tmp_path / "packages"


def test_releases_are_compared_in_the_order_of_their_versions(packages: Path) -> None:
    found = packages_by_project(packages)
    assert list(found) == ["apart", "closed", "good"]
    assert [path.name.split("-")[1] for path in found["good"]] == ["1.9", "1.10", "1.11"]


def test_hunks_lead_to_the_next_release(packages: Path, tmp_path: Path) -> None:
    counts = build_releases(packages, tmp_path / "out", ["apart"])
    assert counts == {"closed": 0, "good": 14}
    releases = Releases(tmp_path / "out")
    assert [entry.path for entry in releases.corpus] == ["good/a.py", "good/a.py"]
    assert applied(*releases.document(0)) == releases.document(1)[0]
    assert releases.document(0)[0][-1] == BODY[-1].split("\n")[-2]
    assert releases.counts == [12, 2]
    assert "known" in "\n".join(applied(*releases.document(1)))


def test_limits_decide_which_files_are_taken(tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    # a changed line between two others is a hunk of its own
    body = ["".join(f"def function_{n}():\n    return value_{n}\n\n" for n in range(count)) for count in (5, 60, 90)]
    for version, name in (("1.0", "value"), ("2.0", "result")):
        few, many, most = (text.replace("value", name) for text in body)
        files = {"a/few.py": few, "a/many.py": many, "a/most.py": most, "a/tests/test_few.py": few, "a/version.py": few}
        _wheel(folder, "a", version, files)

    def taken(limits: PairLimits) -> dict[str, int]:
        return {pair.path: len(pair.hunks) for pairs in release_pairs(_paths(folder), limits) for pair in pairs}

    assert taken(PairLimits()) == {"a/few.py": 5, "a/many.py": 60, "a/tests/test_few.py": 5}
    assert taken(PairLimits(tests=0.0)) == {"a/few.py": 5, "a/many.py": 60}
    assert taken(PairLimits(most=100)) == {"a/few.py": 5, "a/many.py": 60, "a/most.py": 90, "a/tests/test_few.py": 5}
    assert len(taken(PairLimits(files=1))) == 1
    # steps for measurements: files with at most 40 hunks
    steps = {step.path for step in release_steps(folder, ["a"])}
    assert "a/few.py" in steps
    assert not steps & {"a/many.py", "a/most.py"}


def _paths(folder: Path) -> list[Path]:
    return packages_by_project(folder)["a"]


def test_a_folder_without_pairs(tmp_path: Path) -> None:
    _wheel(tmp_path / "packages", "good", "1.0", {"good/a.py": "".join(BODY)})
    with pytest.raises(InputError, match="no two releases"):
        build_releases(tmp_path / "packages", tmp_path / "out", [])
    assert not (tmp_path / "out").exists()


def test_releases_whose_hunks_are_missing(packages: Path, tmp_path: Path) -> None:
    build_releases(packages, tmp_path / "out", ["apart"])
    (tmp_path / "out" / "hunks.jsonl").write_text('{"pair": 0, "hunks": []}\n')
    with pytest.raises(InputError, match="build it again"):
        Releases(tmp_path / "out")
    (tmp_path / "out" / "hunks.jsonl").unlink()
    with pytest.raises(InputError, match="not made by 'tabspec train edits'"):
        Releases(tmp_path / "out")


def test_the_command_builds_both_parts(packages: Path, tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus") as corpus:
        for name in ("a", "b", "c"):
            corpus.add(name, "a.py", "python", "".join(BODY))
            corpus.add(name, "b.py", "python", "".join(BODY))
    arguments = ["--packages", packages, "--corpus", tmp_path / "corpus", "-o", tmp_path / "out", "--hold-out", "apart"]
    result = CliRunner().invoke(tabspec, ["train", "edits", *map(str, arguments), "--project-chars", "100"])
    assert result.exit_code == 0, result.output
    assert "14 hunks of 1 projects" in result.output
    assert "without hunks (their licences, or no changed file): closed" in result.output
    assert "14 steps of projects left out" in result.output
    steps = read_steps(tmp_path / "out" / "steps.jsonl.gz")
    assert {step.project for step in steps} == {"apart"}
    assert len(Corpus(tmp_path / "out" / "texts")) == 3
    assert len(Releases(tmp_path / "out" / "releases")) == 2


def test_a_sample_has_all_projects(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus") as corpus:
        for number in range(20):
            corpus.add(f"p{number % 4}", f"{number}.py", "python", "x = 1\n" * 100)
    assert sample_texts(Corpus(tmp_path / "corpus"), tmp_path / "out", 1_000) == 8 * 600
    sample = Corpus(tmp_path / "out")
    assert [entry.project for entry in sample].count("p2") == 2
    assert sample.text(0) == "x = 1\n" * 100


def test_the_bundled_list_pins_every_release() -> None:
    listed = read_releases()
    assert len(listed.python) + len(listed.npm) > 2_000
    assert len({name.split("==")[0] for name in listed.python}) > 150
    projects = {name.split("==")[0] for name in listed.python} | {name.rsplit("@", 1)[0] for name in listed.npm}
    missing = {name for name in read_list().held_out if name not in projects and not name.startswith("golang-")}
    assert missing == {"rusqlite", "ureq"}  # crates, and libraries of Go: no releases of them are compared


@pytest.mark.parametrize("text", ["[python]\na = '1'", "[python]\na = [1]", "python = 3", "not toml =", ""])
def test_a_list_of_releases_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(InputError, match=r"list\.toml"):
        read_releases(tmp_path / "list.toml")


def test_different_projects_are_fetched_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], cwd: Path, **_: Any) -> None:
        names = [part for part in command if "==" in part or "@" in part[1:]]
        calls.append(names)
        if "gone==1" in names:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(fetching.subprocess, "run", run)
    monkeypatch.setattr(fetching.shutil, "which", lambda name: name)
    sources = SourceList(("a==1", "a==2", "b==1", "gone==1"), ("@x/y@1", "@x/y@2", "@x/z@1"), (), ())
    seen: list[str] = []
    assert fetch(sources, tmp_path, seen.append, together=3) == ["gone==1"]
    assert calls == [
        ["a==1", "b==1", "gone==1"],
        ["a==1"],
        ["b==1"],
        ["gone==1"],
        ["a==2"],
        ["@x/y@1", "@x/z@1"],
        ["@x/y@2"],
    ]
    assert sorted(seen) == sorted([*sources.python, *sources.npm])
    calls.clear()
    assert fetch(sources, tmp_path, together=3) == ["gone==1"]
    assert calls == [["gone==1"]]
