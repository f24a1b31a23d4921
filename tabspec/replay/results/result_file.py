"""The result file (`tabspec replay --json`): reading and writing.

A file is `{"format": "tabspec-replay", "version": 1, "runs": [...]}`. The fields of a run are those of `Run`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from tabspec.errors import InputError
from tabspec.replay.bounded import MAX_FILE_BYTES, MAX_VALUES, values_in
from tabspec.replay.results.result import ReplayResult, RequestRecord, Run
from tabspec.suggestion import Source
from tabspec.system.regular import read_regular
from tabspec.system.typed_json import JsonReader

FORMAT = "tabspec-replay"
VERSION = 1
MS_DIGITS = 3  # microseconds, the resolution of the clock
RATE_DIGITS = 6  # one request in a million
_READER = JsonReader(signed=("seed", "reward"))

# --- writing ------------------------------------------------------------------------------------------------------


def dumps(result: ReplayResult) -> str:
    """The result file's text. Equal results give equal bytes: fixed order, rounded numbers, no timestamp."""
    runs = ",\n".join(_run_text(run) for run in result.runs)
    return f'{{"format": "{FORMAT}", "version": {VERSION}, "runs": [\n{runs}\n]}}\n'


def save(result: ReplayResult, path: Path) -> None:
    """Write the result file. Raises `InputError` if it cannot be written."""
    try:
        path.write_text(dumps(result), encoding="utf-8", errors="replace")  # half a surrogate pair: "?"
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


_MEASURED = frozenset({"edits", "effort", "by_depth"})
"""Fields that are left out where they were not measured."""
_SEVERAL = frozenset({"elsewhere"})
"""Fields that are left out where they are 0, as with a session of one document."""


def _run_text(run: Run) -> str:
    """One line for each field and for each item of a list, so that `diff` can compare two results."""
    lines = []
    for item in fields(run):
        if item.name in _MEASURED and not getattr(run, item.name):
            continue
        value = _plain(getattr(run, item.name), _digits(item.name))
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join("  " + _compact(entry) for entry in value) + "\n ]"
        else:
            text = _compact(value)
        lines.append(f' "{item.name}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _digits(name: str) -> int:
    return RATE_DIGITS if name.endswith("_rate") or name == "keystrokes_saved" else MS_DIGITS


def _plain(value: Any, digits: int) -> Any:
    """``value`` as plain JSON types. A request's fields that have their default are left out, which most have."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, tuple | list):
        return [_plain(entry, digits) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, digits) for key, entry in value.items()}
    if is_dataclass(value):
        sparse = isinstance(value, RequestRecord)
        return {
            item.name: _plain(getattr(value, item.name), digits)
            for item in fields(value)
            if not (sparse or item.name in _SEVERAL)
            or item.default is MISSING
            or getattr(value, item.name) != item.default
        }
    return value


# --- reading ------------------------------------------------------------------------------------------------------


def load(path: Path) -> ReplayResult:
    """Read a result file. Raises `InputError` (one line that names the file and the field)."""
    try:
        data = read_regular(path, MAX_FILE_BYTES)
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a replay result (not UTF-8 text)") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if values_in(data) > MAX_VALUES:
        raise InputError(f"{path}: is not a replay result (more than {MAX_VALUES:,} lists and objects)")
    del data
    try:
        return loads(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def loads(text: str) -> ReplayResult:
    """Read a result file's text; fields that this version does not know are ignored. Raises `InputError`."""
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON (line {error.lineno}: {error.msg})") from None
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise InputError("is not a replay result (nested too deeply, or a number too long)") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f'is not a replay result: "format" is not "{FORMAT}"; make one with `tabspec replay --json`')
    version = data.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InputError('is not a replay result: "version" is not a number')
    if version > VERSION:
        raise InputError(f"has version {version}, and this tabspec reads up to {VERSION}; use a newer tabspec")
    try:
        runs: tuple[Run, ...] = _READER.read(data.get("runs", MISSING), tuple[Run, ...], "runs")
    except ValueError as error:
        raise InputError(str(error)) from None
    for number, run in enumerate(runs):
        _check(run, f"runs[{number}]")
    return ReplayResult(runs)


def _no_constant(name: str) -> Any:
    raise InputError(f"holds {name}, which is not a JSON number")


def _check(run: Run, where: str) -> None:
    """Raise `InputError` if the numbers of a run contradict each other."""
    for name in sorted(run.sources.keys() ^ {source.value for source in Source}):
        raise InputError(f"{where}.sources.{name} " + ("is no source" if name in run.sources else "is missing"))
    if (total := sum(run.sources.values())) != run.requests:
        raise InputError(f"{where}.sources add up to {total}, but there are {run.requests} requests")
    if run.instant_tabs > run.tabs:
        raise InputError(f"{where}.instant_tabs is {run.instant_tabs}, but there are {run.tabs} tabs")
    if run.unanswered_tabs > run.silent_tabs:
        raise InputError(
            f"{where}.unanswered_tabs is {run.unanswered_tabs}, but there are {run.silent_tabs} silent_tabs"
        )
    if run.instant_next + run.silent_tabs > run.tabs:
        raise InputError(f"{where}.instant_next is {run.instant_next}, too many for {run.tabs} tabs")
    for number, record in enumerate(run.timeline):
        if record.source not in run.sources:
            raise InputError(f"{where}.timeline[{number}].source: {record.source!r} is no source")
