from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from neovim_scene import OWN, TARGET, Open, server_command
from nvim_driver import GHOST, Nvim, installed


@pytest.fixture(params=OWN, ids=str)
def open_nvim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens Neovim on a file, with a server that knows `target`."""
    running, kind = [], request.param

    def open_one(
        target: str | None = TARGET,
        text: str = "",
        *,
        options: str = "",
        before: str = "",
        tee: bool = False,
        **more: Any,
    ) -> Nvim:
        file = tmp_path / "example.py"
        file.write_bytes(text.encode())
        command = server_command(target, tmp_path, **more) if target is not None else None
        if command and tee:
            command = [sys.executable, str(Path(__file__).with_name("server_tee.py")), str(tmp_path), *command]
        looks = f"vim.api.nvim_set_hl(0, 'ComplHint', {{ fg = '{GHOST}' }})"  # what the built-in one draws with
        backend = f"backend = '{kind.backend}', {options}"
        nvim = Nvim(installed(kind.version), tmp_path, command, backend, f"{looks}\n{before}")
        running.append(nvim)
        return nvim.start(file)

    yield open_one
    for nvim in running:
        nvim.close()
