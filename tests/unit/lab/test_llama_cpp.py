"""llama.cpp in this process: that it is there and cannot be loaded is told in one line. (What it says is compared with
ours by `tabspec bench decode` and `bench suggestions`, where it is installed.)"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tabspec.errors import ModelNotUsable
from tabspec.lab.baselines.llama_cpp import LlamaCppDecoder, is_installed


@pytest.mark.parametrize(
    "error", ["raise ImportError('no diskcache\\nat all')", "raise ImportError", "import no_such_module_anywhere"]
)
def test_a_package_that_cannot_be_loaded_is_one_line(
    error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llama_cpp"
    package.mkdir()
    (package / "__init__.py").write_text(error)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "llama_cpp"]:
        monkeypatch.delitem(sys.modules, name)
    assert is_installed()
    with pytest.raises(ModelNotUsable, match=r"^llama-cpp-python cannot be loaded: [^\n]+$"):
        LlamaCppDecoder(tmp_path / "any.gguf", context=16, threads=1)
