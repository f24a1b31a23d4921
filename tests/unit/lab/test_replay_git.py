"""Import from git: the texts are those of the commits, whatever the simulated typist does in between."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.errors import SessionError
from tabspec.lab.converters.git import import_git
from tabspec.lab.converters.session_writer import write_session
from tabspec.lab.converters.typist import Typist
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session
from tabspec.text import apply_edits

V1 = "import os\n\n\ndef first(a):\n    return a\n"
V2 = (
    'import os\nimport sys\n\n\ndef first(a, b):\n    """Sum."""\n    return a + b\n'
    "\n\nclass X:\n    def f(self):\n\n        pass\n"
)
V3 = V2.replace("import os\n", "").replace("first", "total")


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def commit(root: Path, **files: str | bytes | None) -> None:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(exist_ok=True)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(root, "add", "-A")
    git(root, "commit", "-qm", "change", "--allow-empty")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "demo"
    root.mkdir()
    git(root, "init", "-q")
    commit(root, a_py=V1, LICENSE="MIT License\n\nPermission is hereby granted, free of\ncharge, to any person")
    commit(root, a_py=V2, pkg__b_py="x = 1\n")
    commit(root, pkg__b_py="x = 1\ny = 2\n", data=b"\x00\x01")
    commit(root, a_py=V3)
    return root


def states(session: Session) -> list[str]:
    texts = [session.text]
    for event in session.edits:
        texts.append(apply_edits(texts[-1], event.edits))
    return texts


def test_a_file_is_typed_commit_by_commit(repository: Path, tmp_path: Path) -> None:
    (session,) = import_git(repository, "a.py", seed=3)
    seen = states(session)
    assert session.text == "" and seen[-1] == V3
    assert seen.index(V1) < seen.index(V2) < len(seen) - 1  # every commit's text stands there once
    assert session.synthetic and session.licence == "MIT" and session.language == "python"
    assert session.source.startswith("git:demo@") and ":a.py" in session.source and "seed 3" in session.source
    assert str(tmp_path) not in session.source and len(session.extra["commits"]) == 3
    times = [event.t for event in session.edits]
    assert times == sorted(times) and times[0] == 0.0
    assert all(round(t, 3) == t for t in times) and any(not t.is_integer() for t in times)
    write_session(session, tmp_path / "s.jsonl.gz")
    again = read_session(tmp_path / "s.jsonl.gz")
    assert again.events == session.events and again.synthetic and not again.spread


def test_the_same_seed_types_the_same(repository: Path) -> None:
    assert import_git(repository, "a.py", seed=1) == import_git(repository, "a.py", seed=1)
    assert import_git(repository, "a.py", seed=1) != import_git(repository, "a.py", seed=2)


def test_globs_ranges_and_limits(repository: Path) -> None:
    assert {session.uri.rsplit("/", 1)[1] for session in import_git(repository, "*.py")} == {"a.py", "b.py"}
    (later,) = import_git(repository, "a.py", commits="HEAD~3..HEAD")
    assert later.text == V1 and later.final_text() == V3
    (first,) = import_git(repository, "a.py", max_commits=1)
    assert first.final_text() == V1
    (short,) = import_git(repository, "a.py", max_events=10)
    assert short.final_text() == V1
    (named,) = import_git(repository, "pkg/b.py", licence="CC0-1.0")
    assert named.licence == "CC0-1.0"


def test_a_file_that_was_deleted_and_restored_is_imported(repository: Path) -> None:
    commit(repository, a_py=None)
    commit(repository, a_py=V1)
    (session,) = import_git(repository, "a.py")
    assert session.final_text() == V1


def test_files_that_cannot_be_imported_are_skipped(repository: Path, tmp_path: Path) -> None:
    for pattern, commits, message in [
        ("none.py", "HEAD", "no file fits"),
        ("a.py", "nowhere", "nowhere"),
        ("a.py", "HEAD..HEAD", "no commits"),
        ("data", "HEAD", "not as text"),
        ("a.py", "--output=x", "is no commit"),
    ]:
        with pytest.raises(SessionError, match=message) as caught:
            import_git(repository, pattern, commits=commits)
        assert "\n" not in str(caught.value)
    (tmp_path / "plain").mkdir()
    with pytest.raises(SessionError, match="not a git repository"):
        import_git(tmp_path / "plain", "a.py")
    with pytest.raises(SessionError):
        import_git(tmp_path / "none", "a.py")


def test_without_git_the_command_is_one_line(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SessionError, match="git is not installed"):
        import_git(repository, "a.py")


# -- the typist


line = st.sampled_from(["def f(x):", "    return x", "        pass", "\tx = 1", "x = y + 1", "", "  ", "é = '😀'", "}"])
document = st.tuples(st.lists(line, max_size=9), st.sampled_from(["\n", "\r\n"]), st.booleans())


@given(st.lists(document, max_size=4), st.integers(0, 99))
def test_the_typist_types_the_whole_text(documents: list[tuple[list[str], str, bool]], seed: int) -> None:
    typist = Typist("", seed)
    text, last = "", 0.0
    for lines, end, closed in documents:
        target = end.join(lines) + (end if closed else "")
        before = len(typist.events)
        typist.pause()
        typist.write(target)
        assert typist.text == target
        for event in typist.events[before:]:
            text = apply_edits(text, event.edits)
            assert event.t >= last and event.cursor is not None and 0 <= event.cursor <= len(text)
            last = event.t
        assert text == target


def test_the_typist_has_the_pace_of_a_person() -> None:
    typist = Typist(V1, 5)
    typist.write(V2)
    singles = [event for event in typist.events if len(event.edits[0].insert) <= 1 and event.edits[0].delete <= 1]
    assert len(singles) > 0.7 * len(typist.events)
    # Enter and the editor's indentation come as one edit, deeper behind a colon
    assert any(event.edits[0].insert == "\n        " for event in typist.events)
    gaps = sorted(b.t - a.t for a, b in zip(typist.events, typist.events[1:], strict=False))
    assert 0.05 < gaps[len(gaps) // 2] < 0.3 and gaps[-1] > 1.0


def test_long_hunks_are_pasted() -> None:
    typist = Typist("", 1)
    block = "".join(f"value_{i} = {i}\n" for i in range(60))
    typist.write(block)
    assert len(typist.events) == 1 and typist.text == block


def test_hunks_are_sometimes_typed_in_another_order() -> None:
    old = "".join(f"line {i}\n" for i in range(30))
    new = old.replace("line 3\n", "line three\n").replace("line 20\n", "line twenty\n")
    firsts = set()
    for seed in range(20):
        typist = Typist(old, seed)
        typist.write(new)
        assert typist.text == new
        firsts.add(typist.events[0].edits[0].offset > len(old) / 2)
    assert firsts == {False, True}
