"""`tabspec evaluate --next-edit` and `--next-edit-history`: files, figures, and clear lines for bad input."""

from __future__ import annotations

import json
import subprocess

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.errors import InputError
from tabspec.lab.commands.evaluate import evaluate_command
from tabspec.lab.evaluation.next_edit.commits import CommitHunk, stages
from tabspec.lab.evaluation.next_edit.judged import distance, verdict
from tabspec.text import Document, Edit

CASE = {
    "id": "a/1", "language": "python", "path": "a.py", "text": "def load(a):\n    pass\n\nx = fetch(1)\n",
    "cursor": [0, 8], "history": [{"path": "a.py", "old": "def fetch(a):", "new": "def load(a):"}], "expected": None,
}  # fmt: skip


def test_a_case_is_answered_by_a_pattern(tmp_path):
    cases, out = tmp_path / "cases.jsonl", tmp_path / "out.jsonl"
    cases.write_text(json.dumps(CASE) + "\n")
    arguments = ["--next-edit", str(cases), "--predictions", str(out), "--model", "none"]
    result = CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    (line,) = map(json.loads, out.read_text().splitlines())
    assert line["id"] == "a/1" and line["text"].endswith("x = load(1)\n") and line["ms"] > 0


@pytest.mark.parametrize(
    "text", ["", "{}\n", "nonsense\n", '{"id": "a", "text": "", "language": "c", "path": "a.c"}\n']
)
def test_a_file_without_cases_is_named(tmp_path, text):
    cases = tmp_path / "cases.jsonl"
    cases.write_text(text)
    arguments = ["--next-edit", str(cases), "--predictions", str(tmp_path / "out"), "--model", "none"]
    with pytest.raises(InputError, match=r"cases\.jsonl"):
        CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)


def test_a_commit_of_two_hunks_gives_stages(tmp_path):
    def git(*arguments):
        subprocess.run(
            ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
        )

    before = "def fetch(a):\n    return a\n" + "y = 1\n" * 9 + "x = fetch(1)\n"
    git("init", "-q")
    (tmp_path / "a.py").write_text(before)
    git("add", "a.py")
    git("commit", "-qm", "a")
    (tmp_path / "a.py").write_text(before.replace("fetch", "load"))
    git("commit", "-qam", "b")
    found = sorted(stages(tmp_path, 5), key=lambda stage: len(stage.steps))
    assert [(len(stage.steps), len(stage.left)) for stage in found] == [(1, 1), (2, 0)]
    assert found[1].document.text == before.replace("fetch", "load")
    with pytest.raises(InputError, match="not a git repository"):
        list(stages(tmp_path / "none", 5))


def _edit(text: str, old: str, new: str) -> ProposedEdit:
    at = text.index(old)
    return ProposedEdit("file:///a", Edit(at, len(old), new), at, EditSource.RENAME, 1.0)


def test_verdicts_on_offers():
    document = Document("file:///a", "a b\nc d\ne\n")
    left = [CommitHunk(1, 2, ("C d f\n",))]
    partly = verdict(document, _edit(document.text, "c", "C"), left)
    assert (partly.place, partly.text, partly.way) == (True, False, True)
    whole = verdict(document, _edit(document.text, "c d", "C d f"), left)
    assert (whole.place, whole.text, whole.way) == (True, True, True)
    wrong = verdict(document, _edit(document.text, "c", "X"), left)
    assert (wrong.place, wrong.text, wrong.way) == (True, False, False)
    assert not verdict(document, _edit(document.text, "e", "C"), left).place


@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_distance_is_that_of_the_longest_common_subsequence(a, b):
    def longest(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        return 1 + longest(i + 1, j + 1) if a[i] == b[j] else max(longest(i + 1, j), longest(i, j + 1))

    assert distance(a, b) == len(a) + len(b) - 2 * longest(0, 0)
