"""Reading files that are named on the command line."""

from __future__ import annotations

from pathlib import Path

from tabspec.errors import InputError
from tabspec.ignore import IgnoreRules
from tabspec.syntax.language_ids import language_of
from tabspec.system.regular import TooLarge, read_regular
from tabspec.text import Document


def read_document(path: Path, max_chars: int) -> Document:
    """A file as a document.

    Raises `InputError` if the file is missing, too long or not text in UTF-8. A file that ignore rules name is not
    opened, and raises it too.
    """
    IgnoreRules.around(path).refuse(path.absolute().as_uri(), path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file")
    try:
        data = read_regular(path, 4 * max_chars)  # UTF-8 takes at most four bytes a character
    except TooLarge:
        raise InputError(f"{path}: too many bytes (the limit is {max_chars:,} characters)") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if b"\0" in data:
        raise InputError(f"{path} is a binary file")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 (byte {error.start})") from None
    if len(text) > max_chars:
        raise InputError(f"{path}: {len(text):,} characters are too many (the limit is {max_chars:,})")
    return Document(path.resolve().as_uri(), text, language_of(path.name))
