"""Hostile rules files, misleading names, and bytes that are not UTF-8."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from tabspec.errors import InputError
from tabspec.ignore import IgnoreRules
from tabspec.ignore_file import FILE_NAME, LONGEST_RULE, MOST_BYTES, MOST_RULES, read_rules


def write(folder: Path, data: bytes) -> IgnoreRules:
    (folder / FILE_NAME).write_bytes(data)
    return IgnoreRules.read([folder])


def ignored(rules: IgnoreRules, folder: Path, name: str) -> bool:
    return rules.ignored((folder / name).as_uri())


# --- the rules file ---------------------------------------------------------------------------------------------------


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link(path: Path) -> None:
    (path.parent / "rules").write_text("*.sql\n")
    path.symlink_to(path.parent / "rules")


HOSTILE = {
    "pipe": _pipe,
    "device": _device,
    "link": _link,
    "folder": Path.mkdir,
    "large": lambda path: path.write_bytes(b"a\n" * MOST_BYTES),
    "many": lambda path: path.write_text("*.sql\n" * (MOST_RULES + 1)),
    "long": lambda path: path.write_text("*a" * LONGEST_RULE),
    "binary": lambda path: path.write_bytes(b"*.sql\n\0\1\2"),
    "half UTF-16": lambda path: path.write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_unreadable_rules_ignore_their_folder_and_are_reported(tmp_path: Path, kind: str) -> None:
    HOSTILE[kind](tmp_path / FILE_NAME)
    rules = IgnoreRules.read([tmp_path])
    assert ignored(rules, tmp_path, "main.py")
    (problem,) = rules.problems
    assert str(tmp_path / FILE_NAME) in problem and "left alone" in problem
    assert not rules.ignored("file:///elsewhere/main.py"), "other folders keep their rules"
    with pytest.raises(InputError, match="until this is fixed"):
        IgnoreRules.around(tmp_path / "main.py").refuse((tmp_path / "main.py").as_uri(), "main.py")


def test_a_rules_file_without_permission_ignores_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may read all files
    rules = IgnoreRules.read([tmp_path])
    assert ignored(rules, tmp_path, "main.py") and "Permission denied" in rules.problems[0]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"*.sql\n", False),
        (b"\xef\xbb\xbf*.sql\r\n", False),
        ("*.sql\r\n".encode("utf-16"), False),
        (b"\xfe\xff" + "*.sql\n".encode("utf-16-be"), False),
        ("# für alle\n*.sql\n".encode("latin-1"), True),
        ("*.sql\ngeheim_ü.txt\n".encode("latin-1"), True),
    ],
)
def test_rules_are_read_in_any_encoding(tmp_path: Path, data: bytes, told: bool) -> None:
    rules = write(tmp_path, data)
    assert ignored(rules, tmp_path, "a.sql")
    assert not ignored(rules, tmp_path, "a.py")
    assert bool(rules.problems) is told
    assert ignored(rules, tmp_path, "geheim_ü.txt") is (b"geheim" in data)


def test_an_invalid_line_is_reported(tmp_path: Path) -> None:
    rules = write(tmp_path, b"*.sql\n!\n" + b"[z-a]\n" * 500)
    assert ignored(rules, tmp_path, "a.sql") and not ignored(rules, tmp_path, "a.py")
    (problem,) = rules.problems
    assert "'!'" in problem and "500 others" in problem


def test_without_a_rules_file_nothing_is_reported(tmp_path: Path) -> None:
    assert read_rules(tmp_path / FILE_NAME) is read_rules(tmp_path / "no folder" / FILE_NAME) is None
    assert IgnoreRules.read([tmp_path]).problems == ()


# --- the matcher ------------------------------------------------------------------------------------------------------

names = st.text(alphabet="ab./", min_size=1, max_size=12)
patterns = st.text(alphabet="ab.*?/![-]", min_size=1, max_size=10)


@given(st.lists(patterns, max_size=4), names)
def test_matching_equals_pathspec_in_linear_time(lines: list[str], name: str) -> None:
    """The oracle is pathspec with Python's matcher, which takes exponential time for some rules."""
    good = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line], backend="simple")
        except (ValueError, re.error):
            continue
        good.append(line)
    path = os.path.normpath(f"/w/{name}")
    expected = path.startswith("/w/") and GitIgnoreSpec.from_lines(good, backend="simple").match_file(path[3:])
    rules = IgnoreRules({PurePath("/w"): lines})
    assert rules.ignored(f"file://{path}") == expected


def test_a_rule_of_many_stars_is_matched_quickly(tmp_path: Path) -> None:
    """With Python's matcher this takes longer than a test may."""
    rules = write(tmp_path, b"*a" * 200 + b"b\n" + b"*.sql\n")
    assert not ignored(rules, tmp_path, "a" * 250)
    assert ignored(rules, tmp_path, "a.sql")


def test_paths_that_are_too_long_are_ignored() -> None:
    assert IgnoreRules().ignored("file:///" + "a/" * 600 + "main.py")


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        ".ENV", "ID_RSA", "Server.PEM", ".Renviron", ".Env.Production", "Secrets.YAML", "KUBECONFIG", ".SSH/Config",
        ".env~", ".env.bak", "id_rsa.old", ".netrc.swp", "server.key.orig", "wg0.conf", "rclone.conf", ".dev.vars",
        "prod.tfvars.json", "service_account_prod.json", ".s3cfg", "keys.agekey",
    ],
)  # fmt: skip
def test_names_are_compared_without_case_and_backups_count_as_their_original(name: str) -> None:
    assert IgnoreRules().ignored(f"file:///home/me/project/{name}")


def test_rules_are_compared_without_case(tmp_path: Path) -> None:
    rules = write(tmp_path, "Geheim*/\nÄPFEL.txt\n".encode())
    assert ignored(rules, tmp_path, "GEHEIMES/a.py")
    assert ignored(rules, tmp_path, "äpfel.txt")
    assert ignored(rules, tmp_path, "a\u0308pfel.txt"), "the same letter in the form that macOS gives"
    assert rules.ignored((tmp_path / "geheim").as_uri().upper().replace("FILE:", "file:") + "/a.py")


@pytest.mark.parametrize("target", [".env", "own.sql"])
def test_a_link_is_judged_by_its_target(tmp_path: Path, target: str) -> None:
    rules = write(tmp_path, b"*.sql\n")
    (tmp_path / target).write_text("x")
    (tmp_path / "settings.py").symlink_to(tmp_path / target)
    (tmp_path / "plain.py").write_text("x")
    (tmp_path / "id_rsa").symlink_to(tmp_path / "plain.py")
    assert ignored(rules, tmp_path, "settings.py"), "its target is ignored"
    assert ignored(rules, tmp_path, "id_rsa"), "its own name is"
    (tmp_path / "settings.py").unlink()
    (tmp_path / "settings.py").symlink_to(tmp_path / "plain.py")
    assert not ignored(rules, tmp_path, "settings.py"), "where it leads is looked at anew"


def test_a_workspace_that_is_a_link_has_one_set_of_rules(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    (real / FILE_NAME).write_text("*.sql\n")
    for opened in (real, link):
        rules = IgnoreRules.read([opened])
        assert ignored(rules, real, "a.sql") and ignored(rules, link, "a.sql")
        assert not ignored(rules, real, "a.py")


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    rules = write(tmp_path, "geheim_ü.py\n".encode("latin-1"))
    (tmp_path / os.fsdecode(b"geheim_\xfc.py")).write_text("x")
    (tmp_path / "link.py").symlink_to(tmp_path / os.fsdecode(b"geheim_\xfc.py"))
    assert ignored(rules, tmp_path, "link.py"), "the same bytes in the rule and in the name"
    assert not rules.ignored(tmp_path.as_uri() + "/\ud800.py") and rules.ignored(tmp_path.as_uri() + "/\ud800/.env")


def test_dots_in_paths_are_resolved(tmp_path: Path) -> None:
    rules = write(tmp_path, b"own/*.txt\n")
    assert rules.ignored(f"{tmp_path.as_uri()}/x/../own/a.txt")
