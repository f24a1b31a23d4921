"""A model whose files may not be read: one line that names the file.

Root may read all files, so the tests raise the error in place of the system.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Never

import pytest

from tabspec.models.files.hub import absolute, is_hub_name
from tabspec.models.process import worker_main


def refused(path: object, *_: object, **__: object) -> Never:
    raise PermissionError(13, "Permission denied", str(path))


def test_a_path_in_an_unreadable_folder_is_no_name_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", refused)
    assert not is_hub_name("private/model")
    assert not is_hub_name("/private/model")
    assert absolute("private/model") == str(Path("private/model").absolute())


def test_the_process_of_the_model_tells_which_file_it_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_main, "load_model", refused)
    lines: list[bytes] = []
    asked: dict[str, Any] = {"op": "load", "model": "/private/model", "options": {}}
    assert worker_main._load(asked, lines.append) is None
    failed = json.loads(lines[-1])
    assert failed["op"] == "failed" and failed["message"] == "/private/model cannot be read (Permission denied)"
