"""Permissive licences, recognized in package metadata. Unknown licences count as not permissive."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Licences that require no more than attribution, as they are named in package metadata (SPDX or not).
_PERMISSIVE = re.compile(
    r"\b(mit|mit-0|bsd|0bsd|\d-clause|apache|isc|psf|python software foundation|python-2\.0|unlicense|zlib|cc0|hpnd|"
    r"bsl-1\.0|boost|public domain|ncsa|zpl|zope|matplotlib|expat|wtfpl|unicode)",
    re.IGNORECASE,
)
# These words mean a restrictive licence, unless the metadata offers another licence as an alternative.
_RESTRICTIVE = re.compile(
    r"\b(a?l?gpl|gnu|mpl|mozilla|epl|eclipse|eupl|cddl|sspl|busl|commercial|proprietary|non-?commercial|cc-by-nc|"
    r"cc-by-sa|artistic|llama)",
    re.IGNORECASE,
)
# The paragraph of a Debian copyright file on some of the files: their names, and the licence.
_PARAGRAPH = re.compile(r"^Files:[ \t]*([^\n]+)\n(?:[^\n]+\n)*?License:[ \t]*([^\n]+)", re.MULTILINE)
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


def from_debian_copyright(text: str) -> str:
    """The licence of a Debian package, from its copyright file: that of the files which no other paragraph names, or a
    licence that is not permissive, if other files have one. "" if it does not say so. The packaging does not count.

    The format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
    """
    found = {}
    for files, licence in _PARAGRAPH.findall(text):
        if not files.startswith("debian/"):
            name = licence.strip()
            found[files.strip()] = "BSD-3-Clause" if name == "Go" else name  # the licence of Go's own library
    if "*" not in found:
        return ""
    return next((each for each in found.values() if not is_permissive(each)), found["*"])
