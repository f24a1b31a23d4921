"""Limits for JSON files from elsewhere.

In memory, a JSON value can take twenty times its bytes in the file (``[[],[],…``). So bytes are limited before a file
is read, and lists and objects before it is parsed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tabspec.errors import InputError
from tabspec.system.regular import read_regular

# A result of twelve sessions under all policies has 60 MB, a session file of the recorder 16 MB.
MAX_FILE_BYTES = 128 << 20
# Lists and objects. A document of the largest size has about a quarter as many brackets.
MAX_VALUES = 4_000_000
# Latency files and service files have a few KB.
MAX_SMALL_BYTES = 1 << 20


def values_in(data: bytes) -> int:
    """An upper bound of the number of lists and objects in JSON data."""
    return data.count(b"[") + data.count(b"{")


def read_json_file(path: Path, what: str) -> Any:
    """The JSON value in a small file. Raises `InputError` with a message that starts with ``what``."""
    try:
        return json.loads(read_regular(path, MAX_SMALL_BYTES).decode("utf-8"))
    except OSError as error:
        raise InputError(f"{what}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{what}: not JSON") from None
