"""Log files that only their user can read: an error may quote the text that caused it."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import Any


def private_log(file: Path) -> logging.StreamHandler[Any]:
    """A handler that appends to ``file``, and gives it mode 0600. Raises OSError if it cannot be written."""
    log = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        found = os.fstat(log)
        if stat.S_ISREG(found.st_mode) and hasattr(os, "fchmod"):  # not of a device, such as /dev/null
            os.fchmod(log, 0o600)
        return logging.StreamHandler(os.fdopen(log, "a", encoding="utf-8"))
    except BaseException:
        os.close(log)
        raise
