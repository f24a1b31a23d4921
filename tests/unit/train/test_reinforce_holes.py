"""Holes: what releases added, and where users type in files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.errors import InputError
from tabspec.prompt.window import WindowSize, window
from tabspec.train.corpus.build import build_corpus
from tabspec.train.reinforce.completions.additions import added, write_additions
from tabspec.train.reinforce.completions.holes import Additions, HoleMaker
from tests.tools import REPOSITORY

lines = st.lists(st.sampled_from(["a = 1\n", "b = 22\n", "\n", "def f():\n", "    return b\n", "c"]), max_size=8).map(
    "".join
)


def is_left(text: str, whole: str) -> bool:
    """Whether ``text`` is what is left of ``whole`` if some of its characters are deleted."""
    characters = iter(whole)
    return all(char in characters for char in text)


@given(lines, lines)
def test_what_is_not_added_is_left_of_the_old_text(old: str, new: str) -> None:
    at = was = 0
    for start, end, rest in added(old, new):
        assert at <= start <= end and was <= rest
        assert is_left(new[at:start], old[was:rest])
        at, was = end, rest
    assert is_left(new[at:], old[was:])


def wheel(folder: Path, name: str, version: str, text: str, licence: str = "MIT") -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/core.py", text)
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nLicense: {licence}\n\n")
    return path


OLD = """# A module that is long enough to count as a file of code.
import os


def first(path):
    found = os.path.join(path, 'a')
    print(found)
    return found


def last(path):
    return os.path.exists(path)
"""
NEW = OLD.replace("def last", "def second(path):\n    return os.path.isdir(path)\n\n\ndef last").replace(
    "'a')", "'abcdef')"
)


def test_a_file_of_additions_is_made_and_read(tmp_path: Path) -> None:
    releases = [wheel(tmp_path, "thing", "1.10", NEW), wheel(tmp_path, "thing", "1.9", OLD)]
    releases += [wheel(tmp_path, "other", v, t, "GPL-3.0") for v, t in (("1", OLD), ("2", NEW))]
    releases += [wheel(tmp_path, "apart", v, t) for v, t in (("1", OLD), ("2", NEW))]
    out = tmp_path / "additions.jsonl"
    assert write_additions(releases, out, ["apart"]) == {"other": 0, "thing": 2}
    found = Additions(out)
    texts = sorted(found[number].text for number in range(len(found.sizes)))
    assert texts[0] == "bcdef" and "second" in texts[1]
    hole = HoleMaker(None, out, 1.0, 0, 4).hole(0)
    assert hole.language == "python" and hole.text
    assert (hole.before + hole.text).strip() in NEW


def test_bad_releases_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two or more releases"):
        write_additions([wheel(tmp_path, "thing", "1", OLD)], tmp_path / "out", [])
    with pytest.raises(InputError, match="not a release"):
        write_additions([tmp_path / "notes.txt"], tmp_path / "out", [])
    (tmp_path / "bad.jsonl").write_text(json.dumps({"project": "x"}) + "\n")
    with pytest.raises(InputError, match="not a file made by"):
        Additions(tmp_path / "bad.jsonl")


def test_holes_of_files_are_seen_as_the_engine_sees_them(tmp_path: Path) -> None:
    build_corpus([REPOSITORY / "tests" / "fixtures" / "code" / "train"], tmp_path)
    maker = HoleMaker(tmp_path / "train", None, 0.0, 3, 5)
    again = HoleMaker(tmp_path / "train", None, 0.0, 3, 5)
    for number in range(40):
        hole = maker.hole(number)
        assert hole == again.hole(number)
        assert hole.text.strip() and list(hole.cursors) == list(range(len(hole.cursors)))
        assert max(hole.cursors) <= len(hole.text)
        for cursor in hole.cursors:
            context = hole.context(cursor)
            assert context.prefix.endswith(hole.text[:cursor])
            if len(hole.before) + cursor < WindowSize().prefix_chars - WindowSize().step:
                seen = window(context, WindowSize())
                assert (seen.suffix, seen.head + seen.forced) == (hole.suffix, context.prefix)
