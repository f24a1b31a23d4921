"""Permissive licences, recognized in package metadata. Unknown licences count as not permissive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

# Licences that require no more than attribution, as they are named in package metadata (SPDX or not).
_PERMISSIVE = re.compile(
    r"\b(mit|mit-0|bsd|0bsd|\d-clause|apache|isc|psf|python software foundation|python-2\.0|unlicense|zlib|cc0|hpnd|"
    r"bsl-1\.0|boost|x11|freebsd|public domain|ncsa|zpl|zope|matplotlib|expat|wtfpl|unicode)",
    re.IGNORECASE,
)
# These words mean a restrictive licence, unless the metadata offers another licence as an alternative.
_RESTRICTIVE = re.compile(
    r"\b(a?l?gpl|gnu|mpl|mozilla|epl|eclipse|eupl|cddl|sspl|busl|commercial|proprietary|non-?commercial|cc-by-nc|"
    r"cc-by-sa|artistic|llama)",
    re.IGNORECASE,
)
# A paragraph of a Debian copyright file: the names of files, and their licence.
_PARAGRAPH = re.compile(r"^Files:((?:.*\n)(?:[ \t]+.*\n)*)(?:(?!License:).+\n)*License:[ \t]*(.+)", re.MULTILINE)
_LONGEST = 200  # characters; a longer field contains the text of the licence, and names it in the first lines


def is_permissive(statement: str) -> bool:
    """Whether a licence statement (SPDX expression, name, or trove classifier) is permissive.

    Of alternatives (``A OR B``, in older Rust packages ``A/B``), one must be permissive. Of a conjunction, all must be.
    """
    head = statement.strip()[:_LONGEST]
    for choice in re.split(r"\bor\b|(?<=[\w.\-])/(?=[A-Z])", head, flags=re.IGNORECASE):
        if _PERMISSIVE.search(choice) and not _RESTRICTIVE.search(choice):
            return True
    return False


def from_python_metadata(lines: Iterable[str]) -> str:
    """The licence statement in the header lines of a Python distribution's METADATA. "" if it has none.

    The SPDX expression is preferred, then the trove classifiers, then the free-text field.
    """
    expression, free, classifiers = "", "", []
    for line in lines:
        name, _, value = line.partition(":")
        value = value.strip()
        if not line.strip():
            break  # the header ends at the first empty line
        if name == "License-Expression":
            expression = value
        elif name == "License":
            free = value
        elif name == "Classifier" and value.startswith("License ::"):
            last = value.rsplit("::", 1)[-1].strip()
            if last != "OSI Approved":
                classifiers.append(last)
    return expression or " AND ".join(classifiers) or free


def from_debian_copyright(text: str) -> dict[str, str]:
    """The licences in a Debian copyright file by the pattern of the files' names, in its order; "*" is all files.

    The format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
    """
    found: dict[str, str] = {}
    for names, licence in _PARAGRAPH.findall(text):
        name = licence.strip()
        for pattern in names.split():
            found[pattern] = "BSD-3-Clause" if name == "Go" else name  # the licence of Go's own library
    return found


def licence_of_file(path: str, licences: Mapping[str, str]) -> str:
    """The licence of a file of a Debian package: that of the last pattern that fits. "" if none does.

    Patterns are of paths in the source, whose folder in the package is not known. So they may fit below any folder.
    """
    fitting = [licence for pattern, licence in licences.items() if fnmatchcase("/" + path, f"*/{pattern}")]
    return fitting[-1] if fitting else ""
