"""Only the user can read a log file."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from tabspec.system.logs import private_log


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("before", [None, 0o600, 0o644, 0o666])
def test_a_log_is_private_and_appended_to(before: int | None, tmp_path: Path) -> None:
    file = tmp_path / "server.log"
    if before is not None:
        file.write_text("before\n")
        file.chmod(before)
    mask = os.umask(0)
    try:
        handler = private_log(file)
    finally:
        os.umask(mask)
    handler.emit(logging.makeLogRecord({"msg": "naïve"}))
    handler.stream.close()
    assert mode(file) == 0o600
    assert file.read_text("utf-8") == ("" if before is None else "before\n") + "naïve\n"


def test_a_device_keeps_its_mode() -> None:
    before = mode(Path(os.devnull))
    private_log(Path(os.devnull)).stream.close()
    assert mode(Path(os.devnull)) == before


def test_a_log_that_cannot_be_written_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        private_log(tmp_path)
