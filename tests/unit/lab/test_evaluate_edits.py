"""`tabspec evaluate --next-edit` and `--next-edit-history`: files, figures, and clear lines for bad input."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.step import Step
from tabspec.errors import InputError
from tabspec.lab.commands.evaluate import evaluate_command
from tabspec.lab.evaluation.next_edit.cases import read_cases
from tabspec.lab.evaluation.next_edit.changed_files import CommitHunk
from tabspec.lab.evaluation.next_edit.commits import Stage, stages
from tabspec.lab.evaluation.next_edit.judged import distance, verdict
from tabspec.lab.evaluation.next_edit.measured import as_json, outcome
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


def test_a_line_of_cases_ends_with_a_line_end_only(tmp_path):
    """U+2028 and U+0085 may stand in a JSON string as they are, where `str.splitlines` would cut."""
    text = CASE["text"] + "# a\u2028b\x85c\n"
    (tmp_path / "cases.jsonl").write_text(json.dumps(CASE | {"text": text}, ensure_ascii=False) + "\r\n", "utf-8")
    (case,) = read_cases(tmp_path / "cases.jsonl")
    assert case.document.text == text


@pytest.mark.parametrize(
    "text", ["", "{}\n", "nonsense\n", '{"id": "a", "text": "", "language": "c", "path": "a.c"}\n']
)
def test_a_file_without_cases_is_named(tmp_path, text):
    cases = tmp_path / "cases.jsonl"
    cases.write_text(text)
    arguments = ["--next-edit", str(cases), "--predictions", str(tmp_path / "out"), "--model", "none"]
    with pytest.raises(InputError, match=r"cases\.jsonl"):
        CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)


def committed(folder: Path, *versions: dict[str, str]) -> Path:
    """A repository with a commit for each of these contents."""

    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
        )

    git("init", "-q")
    for files in versions:
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        git("add", ".")
        git("commit", "-qm", "a")
    return folder


BEFORE = "def fetch(a):\n    return a\n" + "y = 1\n" * 9 + "x = fetch(1)\n"


def test_a_commit_of_two_hunks_gives_stages(tmp_path):
    after = BEFORE.replace("fetch", "load")
    found = sorted(stages(committed(tmp_path, {"a.py": BEFORE}, {"a.py": after}), 5), key=lambda one: len(one.steps))
    uri = "file:///a.py"
    assert [(len(stage.steps), len(stage.left[uri]), stage.due) for stage in found] == [(1, 1, True), (2, 0, False)]
    assert found[1].document.text == after
    with pytest.raises(InputError, match="not a git repository"):
        list(stages(tmp_path / "none", 5))


def test_a_commit_of_several_files_has_them_open_with_some_beside(tmp_path):
    files = {
        "p/a.py": BEFORE,
        "p/b.py": BEFORE,
        "p/beside.py": "z = 1\n",
        "p/notes.md": "fetch\n",
        "q/far.py": "z = 2\n",
    }
    after = {name: BEFORE.replace("fetch", "load") for name in ("p/a.py", "p/b.py")}
    found = list(stages(committed(tmp_path, files, after), 1))
    assert sorted(len(stage.steps) for stage in found) == [1, 2, 3, 4]
    for stage in found:
        open_too = {each.uri: each.text for each in stage.others}
        [other] = {"file:///p/a.py", "file:///p/b.py"} - {stage.document.uri}
        assert open_too.keys() == {other, "file:///p/beside.py"}
        assert sum(map(len, stage.left.values())) == 4 - len(stage.steps)
        made = [step.uri for step in stage.steps]
        assert open_too[other].count("load") == made.count(other) and stage.document.uri == made[-1]
        assert stage.document.text.count("load") == made.count(stage.document.uri)


def test_what_is_shown_in_other_documents_has_figures_of_its_own():
    here, other = "file:///a.py", "file:///b.py"
    step = Step(here, 0, 0, "def fetch(a):\n", "def load(a):\n")
    caller = Document(other, "from a import fetch\n\nx = fetch(1)\n")
    whole = (CommitHunk(0, 1, ("from a import load\n",)), CommitHunk(2, 3, ("x = load(1)\n",)))
    document = Document(here, "def load(a):\n    return a\n")
    made = outcome(Stage(document, (step,), {here: (), other: whole}, (caller,)))
    undone = outcome(Stage(document, (step,), {here: ()}, (caller,)))
    assert made.elsewhere and made.judged.text and made.due and not made.due_here
    assert undone.elsewhere and not undone.judged.place and not undone.due
    places = as_json([made, undone])["by_place"]
    assert (places["here"]["shown"], places["elsewhere"]["shown"]) == (0, 2)
    assert (places["elsewhere"]["text"], places["elsewhere"]["recall"], places["elsewhere"]["quiet_at_end"]) == (
        0.5,
        1.0,
        0.0,
    )


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
