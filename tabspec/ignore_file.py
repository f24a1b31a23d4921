"""Reading a `.tabspecignore`, which may be anything: a link to a device, a pipe, a gigabyte, no text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from tabspec.system.regular import TooLarge, read_regular

FILE_NAME = ".tabspecignore"

# Files of rules that people write have fewer than a thousand. The time that matching takes grows with their number.
MOST_RULES = 1_000
# A thousand rules of usual length.
MOST_BYTES = 64 << 10
_TOO_LARGE = f"it has more than {MOST_BYTES >> 10} KiB; shorten it"
# Names of files have at most 255 characters, and a rule is seldom longer than one.
LONGEST_RULE = 512


class RulesError(Exception):
    """A rules file is there, but its rules cannot be known. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class RulesFile:
    """The lines of a rules file; ``problem``: a line for the user where something in it may not be what it seems."""

    lines: tuple[str, ...] = ()
    problem: str = ""


def read_rules(path: Path) -> RulesFile | None:
    """The rules in a file; None if it is not there. Raises `RulesError`.

    Only regular files are read, and of a link not what it leads to. UTF-8 is read with and without a byte order mark,
    UTF-16 with one. Lines that are not UTF-8 are read as Latin-1, so that their rules stay in force.
    """
    data = _data(path)
    return None if data is None else parse_rules(data)


def parse_rules(data: bytes) -> RulesFile:
    """The rules in a rules file's bytes, as `read_rules` has them. Raises `RulesError`."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return RulesFile(_checked(_decoded(data)))
    data = data.removeprefix(codecs.BOM_UTF8)
    if len(data) > MOST_BYTES:
        raise RulesError(_TOO_LARGE)
    if b"\0" in data:
        raise RulesError("it is not text in UTF-8; save it as UTF-8")
    try:
        return RulesFile(_checked(data.decode("utf-8")))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    text = "\n".join(map(_either, data.split(b"\n")))
    return RulesFile(_checked(text), f"line {line} is not UTF-8 and was read as Latin-1; save the file as UTF-8")


def _data(path: Path) -> bytes | None:
    try:
        return read_regular(path, MOST_BYTES, follow=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except TooLarge:
        raise RulesError(_TOO_LARGE) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the folder's name
        if path.is_symlink():
            raise RulesError("it is a link, which is not followed; put the file itself there") from None
        raise RulesError(f"it cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError:
        raise RulesError("it is not text in UTF-16, as which it begins; save it as UTF-8") from None


def _either(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _checked(text: str) -> tuple[str, ...]:
    lines = tuple(line.removesuffix("\r") for line in text.split("\n"))
    if long := next((number for number, line in enumerate(lines, 1) if len(line) > LONGEST_RULE), 0):
        raise RulesError(f"line {long} has more than {LONGEST_RULE} characters; shorten it")
    if sum(bool(line.strip()) and not line.startswith("#") for line in lines) > MOST_RULES:
        raise RulesError(f"it has more than {MOST_RULES:,} rules; shorten it")
    return lines
