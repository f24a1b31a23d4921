"""Permissive licences, recognized in package metadata. Unknown licences count as not permissive."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Licences that ask for attribution at most. Written as they appear in package metadata, SPDX or not.
_PERMISSIVE = re.compile(
    r"\b(mit|mit-0|bsd|0bsd|\d-clause|apache|isc|psf|python software foundation|python-2\.0|unlicense|zlib|cc0|hpnd|"
    r"bsl-1\.0|boost|public domain|ncsa|zpl|zope|matplotlib|expat|wtfpl|unicode)",
    re.IGNORECASE,
)
# A word of these anywhere means terms on the use of derived works, unless the metadata offers another licence.
_RESTRICTIVE = re.compile(
    r"\b(a?l?gpl|gnu|mpl|mozilla|epl|eclipse|eupl|cddl|sspl|busl|commercial|proprietary|non-?commercial|cc-by-nc|"
    r"cc-by-sa|artistic|llama)",
    re.IGNORECASE,
)
_LONGEST = 200  # a longer "licence" field is the licence's text: only its first lines name it


def is_permissive(statement: str) -> bool:
    """Whether a licence statement (SPDX expression, name, or trove classifier) is permissive.

    Of alternatives (``A OR B``, Rust's old ``A/B``), one must be permissive; of a conjunction, all.
    """
    head = statement.strip()[:_LONGEST]
    for choice in re.split(r"\bor\b|(?<=[\w.\-])/(?=[A-Z])", head, flags=re.IGNORECASE):
        if _PERMISSIVE.search(choice) and not _RESTRICTIVE.search(choice):
            return True
    return False


def from_python_metadata(lines: Iterable[str]) -> str:
    """Licence statement of a Python distribution's METADATA (its header lines), "" if it states none.

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
