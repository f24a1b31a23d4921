from __future__ import annotations

from pathlib import Path

import pytest

from tabspec.ignore import FILE_NAME, IgnoreRules

SECRET = [
    ".env", ".env.production", "config/.env", "prod.env", "server.key", "deep/down/cert.pem", "id_rsa",
    "id_ed25519.pub", ".ssh/config", ".aws/credentials", "credentials.json", ".netrc", ".npmrc",
    "terraform.tfstate", "kubeconfig", ".kube/config", ".bash_history", ".python_history", "secrets.yaml",
    "service-account-prod.json", "vault.kdbx",
]  # fmt: skip
PLAIN = [
    "main.py", "src/environment.py", ".env.example", "monkey.py", "keys.py", "credentials_test.py", "secretsanta.py",
    "docs/history.md", "env/main.py", "src/ssh/config.py", "pem.go", "Makefile", ".gitignore",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
@pytest.mark.parametrize("root", ["file:///home/me/project/", "file:///C%3A/Users/me/", "untitled:"])
def test_files_of_secrets_are_ignored(root: str, name: str) -> None:
    assert IgnoreRules().ignored(root + name)


@pytest.mark.parametrize("name", PLAIN)
def test_other_files_are_not_ignored(name: str) -> None:
    assert not IgnoreRules().ignored("file:///home/me/project/" + name)


@pytest.mark.parametrize("uri", ["", "nonsense", "file://", "http://[broken", "untitled:Untitled-1", "a:b:c", "\x00"])
def test_strange_uris_raise_nothing(uri: str) -> None:
    assert IgnoreRules().ignored(uri) in (False, True)


def test_a_folder_adds_and_negates_rules(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("generated/\n*.sql\n!.env.local\n# a comment\n")
    rules, root = IgnoreRules.read([tmp_path]), tmp_path.as_uri()
    assert rules.ignored(f"{root}/generated/a.py")
    assert rules.ignored(f"{root}/x/y.sql")
    assert rules.ignored(f"{root}/.env")
    assert not rules.ignored(f"{root}/.env.local")
    assert not rules.ignored(f"{root}/a.py")
    assert not rules.ignored("file:///elsewhere/y.sql")
    assert rules.ignored("file:///elsewhere/.env.local")


def test_names_are_unquoted(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("my secret ü.txt\n")
    assert IgnoreRules.read([tmp_path]).ignored((tmp_path / "my secret ü.txt").as_uri())


def test_the_innermost_folder_decides(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / FILE_NAME).write_text("*.sql\n")
    rules = IgnoreRules.read([inner, tmp_path])
    assert rules.ignored(f"{tmp_path.as_uri()}/a.sql")
    assert rules.ignored(f"{inner.as_uri()}/a.sql"), "a folder without rules is one like any other"
    (inner / FILE_NAME).write_text("")
    rules = IgnoreRules.read([inner, tmp_path])
    assert rules.ignored(f"{tmp_path.as_uri()}/a.sql")
    assert not rules.ignored(f"{inner.as_uri()}/a.sql")


def test_unreadable_rules_raise_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe\x00")
    rules = IgnoreRules.read([tmp_path, tmp_path / "not there"])
    assert rules.ignored(f"{tmp_path.as_uri()}/.env")


def test_an_invalid_line_leaves_the_other_rules_in_force(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("*.sql\n!\n[z-a]\n**a\n")
    assert IgnoreRules.read([tmp_path]).ignored(f"{tmp_path.as_uri()}/a.sql")
