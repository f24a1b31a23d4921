"""Files that script a model: what is wrong with one is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabspec.errors import ModelNotUsable
from tabspec.models.scripted.file import read_script


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "not JSON ("),
        (b"\xff", "not JSON ("),
        (b"[" * 100_000, "not JSON ("),
        (b"[]", "script: expected an object"),
        (b"{}", "give one of 'target', 'answers' and 'any'"),
        (b'{"any": true, "target": "a"}', "give one of 'target', 'answers' and 'any'"),
        (b'{"any": true, "speed": 1}', "script: unknown field 'speed'"),
        (b'{"any": true, "load_s": -1}', "script.load_s: is negative"),
        (b'{"any": true, "load_s": NaN}', "script.load_s: is not a number"),
        (b'{"any": true, "token_chars": 0}', "token_chars cannot be 0"),
        (b'{"answers": {"def f():\\n    ": 1}}', r"script.answers.def f():\n    : expected a string"),
        (b'{"target": "a", "others": {"a\\nb": "c"}}', r"script.others.a\nb: expected a list"),
    ],
)
def test_an_unusable_file_is_named_with_its_problem(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "script.json"
    path.write_bytes(content)
    with pytest.raises(ModelNotUsable) as caught:
        read_script(path)
    message = str(caught.value)
    assert message.startswith(f"scripted model {path}: {problem}") and "\n" not in message


def test_a_missing_file_is_an_unusable_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotUsable, match="cannot be read"):
        read_script(tmp_path / "script.json")
