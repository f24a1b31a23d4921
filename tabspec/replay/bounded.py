"""Limits for files of JSON that others made, so that no file takes more memory than a large one of ours.

In memory a JSON value can take twenty times the bytes that it has in a file (``[[],[],…``), so both are limited: bytes
before they are read, and lists and objects before they are parsed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tabspec.errors import InputError
from tabspec.system.regular import read_regular

# A result of the twelve recorded sessions under all policies has 60 MB; a recorder's session file 16 MB.
MAX_FILE_BYTES = 128 << 20
# Lists and objects. The text of a document of the largest size has about a quarter of so many brackets.
MAX_VALUES = 4_000_000
# A file of settings of ours has a few KB.
MAX_SMALL_BYTES = 1 << 20


def values_in(data: bytes) -> int:
    """How many lists and objects JSON data can hold at most."""
    return data.count(b"[") + data.count(b"{")


def read_json_file(path: Path, what: str) -> Any:
    """The JSON value in a small file. Raises `InputError`, whose line begins with ``what``."""
    try:
        return json.loads(read_regular(path, MAX_SMALL_BYTES).decode("utf-8"))
    except OSError as error:
        raise InputError(f"{what}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{what}: not JSON") from None
