"""Repositories that would run programs, that hide rules, or whose origin holds a token."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tabspec.errors import SessionError
from tabspec.lab.converters import git_command
from tabspec.lab.converters.git import import_git, origin_name
from tabspec.lab.converters.git_command import run_git
from tests.secret_kinds import Made


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "add", "-Af")
    git(root, "commit", "-qm", "more")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    commit(root, {"a.py": "x = 1\n", "sub/b.py": "y = 1\n"})
    commit(root, {"a.py": "x = 2\n", "sub/b.py": "y = 2\n"})
    return root


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, str]:
    """A file that is there once a planted program has run, and the program."""
    ran, program = tmp_path / "ran", tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\necho ran >> {ran}\nexit 1\n")
    program.chmod(0o755)
    return ran, str(program)


def configure(root: Path, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        git(root, "config", name, value)


def programs(program: str) -> dict[str, str]:
    """Settings that run a program in one command of git or another."""
    return {
        "core.fsmonitor": program, "core.sshCommand": program, "core.pager": program, "core.editor": program,
        "core.gitProxy": program, "core.askPass": program, "core.alternateRefsCommand": program,
        "credential.helper": f"!{program}", "diff.external": program, "diff.x.textconv": program,
        "diff.x.command": program, "filter.x.smudge": program, "filter.x.clean": program, "filter.x.process": program,
        "gpg.program": program, "gpg.ssh.program": program, "log.showSignature": "true", "merge.x.driver": program,
        "alias.rev-parse": f"!{program}", "alias.rev-list": f"!{program}", "pager.rev-list": program,
        "sequence.editor": program, "uploadpack.packObjectsHook": program, "interactive.diffFilter": program,
    }  # fmt: skip


REMOTES = {
    "ext": {"url": "ext::PROGRAM"},
    "ssh": {"url": "ssh://127.0.0.1/x"},
    "path": {"url": "/", "uploadpack": "PROGRAM"},
    "helper": {"url": "x", "vcs": "ext"},
}


@pytest.mark.parametrize("remote", REMOTES)
def test_no_program_of_the_repository_is_run(repository: Path, planted: tuple[Path, str], remote: str) -> None:
    ran, program = planted
    (repository / ".gitattributes").write_text("* diff=x filter=x merge=x\n")
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "fsmonitor-watchman", "post-index-change"):
        (hooks / name).write_text(Path(program).read_text())
        (hooks / name).chmod(0o755)
    missing = git(repository, "rev-parse", "HEAD:a.py")
    (repository / ".git" / "objects" / missing[:2] / missing[2:]).unlink()
    promisor = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
    }
    server = {f"remote.origin.{name}": value.replace("PROGRAM", program) for name, value in REMOTES[remote].items()}
    configure(repository, programs(program) | promisor | server | {"protocol.ext.allow": "always"})
    edits = {session.uri.rpartition("/")[2]: len(session.extra["commits"]) for session in import_git(repository, "*")}
    assert edits == {"a.py": 1, "b.py": 2}, "what is missing is not fetched"
    assert not ran.exists()


def test_the_attack_works_on_unguarded_git(repository: Path, planted: tuple[Path, str]) -> None:
    """Else the test above would show nothing."""
    ran, program = planted
    missing = git(repository, "rev-parse", "HEAD:a.py")
    (repository / ".git" / "objects" / missing[:2] / missing[2:]).unlink()
    promisor = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
    }
    configure(repository, promisor | {"remote.origin.url": "ssh://127.0.0.1/x", "core.sshCommand": program})
    subprocess.run(["git", "-C", str(repository), "cat-file", "blob", missing], capture_output=True, check=False)
    assert ran.exists()


def test_the_environment_does_not_redirect_git(
    repository: Path, tmp_path: Path, planted: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, program = planted
    other = tmp_path / "global"
    other.write_text(f"[core]\n\tfsmonitor = {program}\n[log]\n\tshowSignature = true\n[gpg]\n\tprogram = {program}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(other))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_SSH_COMMAND", program)
    assert len(import_git(repository, "*")) == 2
    assert not ran.exists()


def test_an_output_has_a_limit_and_a_time(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_git(repository, "cat-file", "blob", "HEAD:a.py", most_bytes=6).stdout == b"x = 2\n"
    done = run_git(repository, "cat-file", "blob", "HEAD:a.py", most_bytes=5)
    assert done.returncode and not done.stdout
    monkeypatch.setattr(git_command, "TIMEOUT_S", 0.1)
    with pytest.raises(SessionError, match="did not answer"):
        # waits for its other end, which is this test
        os.mkfifo(repository / "pipe")
        run_git(repository, "hash-object", "pipe")


# --- rules ------------------------------------------------------------------------------------------------------------


def names(root: Path) -> set[str]:
    return {session.uri.removeprefix("file:///session/") for session in import_git(root, "*.py")}


def test_ignore_rules_of_the_repository_hold_in_a_subfolder(repository: Path) -> None:
    (repository / ".tabspecignore").write_text("b.py\n")
    assert names(repository / "sub") == {"a.py"} == names(repository)


@pytest.mark.parametrize("bare", [False, True])
def test_ignore_rules_in_the_commit_hold(repository: Path, tmp_path: Path, bare: bool) -> None:
    commit(repository, {".tabspecignore": "b.py\n"})
    (repository / ".tabspecignore").unlink()
    if bare:
        git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    assert names(tmp_path / "bare.git" if bare else repository) == {"a.py"}


def test_a_repository_cannot_say_that_its_files_are_elsewhere(repository: Path, tmp_path: Path) -> None:
    (repository / ".tabspecignore").write_text("b.py\n")
    configure(repository, {"core.worktree": str(tmp_path / "elsewhere")})
    (tmp_path / "elsewhere").mkdir()
    assert names(repository) == {"a.py"}


def test_unreadable_ignore_rules_are_reported(repository: Path) -> None:
    os.mkfifo(repository / ".tabspecignore")
    with pytest.raises(SessionError, match="no regular file"):
        import_git(repository, "*.py")


# --- the origin's name ------------------------------------------------------------------------------------------------

TOKEN = "glpat-" + Made(5).alnum(20)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"https://{TOKEN}@example.org/repo.git", "repo"),
        (f"https://user:{TOKEN}@example.org/owner/repo.git", "owner/repo"),
        (f"https://example.org:8443/owner/repo.git?private_token={TOKEN}#{TOKEN}", "owner/repo"),
        (f"ssh://{TOKEN}@example.org/repo", "repo"),
        (f"{TOKEN}@example.org:owner/repo.git", "owner/repo"),
        ("git@example.org:group/sub/repo.git", "sub/repo"),
        ("https://[broken/repo", ""),
        ("file:///home/me/secret/repo", ""),
        ("/home/me/repo", ""),
        ("", ""),
    ],
)
def test_only_the_path_of_an_origin_is_recorded(url: str, name: str) -> None:
    assert origin_name(url) == name


@pytest.mark.parametrize(
    "url", [f"https://{TOKEN}@example.org/repo.git", f"https://example.org/{TOKEN}/repo.git", f"x@y:{TOKEN}"]
)
def test_no_token_of_the_origin_gets_into_a_session(repository: Path, url: str) -> None:
    git(repository, "config", "remote.origin.url", url)
    for session in import_git(repository, "*"):
        assert TOKEN not in session.source and "repo" in session.source
