"""What was measured about the speed of a model on this machine, kept so that it is not measured at every start.

``speed.json`` in the user's data folder has one measurement, the last one.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tabspec.models.files.mine import data_folder
from tabspec.system.regular import read_regular

_FORMAT = "tabspec-speed"
_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class Speed:
    """A completion took ``ms`` milliseconds. ``what`` names model, decoder and machine; ``when`` is in seconds since
    1970."""

    what: str
    ms: float
    when: float


def speed_file() -> Path:
    """The file's path. It may not exist."""
    return data_folder() / "speed.json"


def read_speed(what: str) -> Speed | None:
    """The measurement of ``what``; None if there is none, or the file cannot be read."""
    try:
        data = json.loads(read_regular(speed_file(), _BYTES).decode("utf-8"))
        if data["format"] != _FORMAT or data["version"] != 1 or data["what"] != what:
            return None
        speed = Speed(what, float(data["ms"]), float(data["when"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return speed if math.isfinite(speed.ms) and math.isfinite(speed.when) else None


def write_speed(what: str, ms: float) -> Speed:
    """Keep a measurement of now, in place of the last one. Where the file cannot be written, it is measured again at
    the next start."""
    speed = Speed(what, round(ms, 1), round(time.time()))
    file = speed_file()
    aside = file.with_name(file.name + ".partial")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps({"format": _FORMAT, "version": 1, **asdict(speed)}) + "\n", encoding="utf-8")
        aside.replace(file)
    return speed
