"""Characters that are never offered, because they are invisible or change the order in which a text is displayed.

Users must see exactly what they accept. These characters change how an editor or a terminal displays a text, split
lines in some programs only, or make two names look alike. A model may have learned them, and a server may send them.

- Controls (C0, DEL, C1) except tab and line ends: terminals execute them. Line ends are converted to those of the
  document (`tabspec.fitting.cleaning`), so that no single carriage return is offered.
- Line and paragraph separators: JavaScript treats them as line ends, editors do not.
- Marks, embeddings, overrides and isolates of bidirectional text: the line is displayed in another order than stored.
- Characters that Unicode renders as nothing (Default_Ignorable_Code_Point): zero-width characters, fillers, variation
  selectors, tags. They include the joiners of some scripts and emoji, which are invisible in a name, too.
- Annotation marks, and lone surrogates, which UTF-8 cannot encode.
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u2028-\u202e"  # separators; embeddings and overrides
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff]"
)


def unseen(text: str, since: int = 0) -> int | None:
    """The length of ``text`` up to and including its first such character; None if there is none.

    The caller knows that the first ``since`` characters contain none.
    """
    found = _UNSEEN.search(text, since)
    return found and found.end()


def cut_unseen(text: str) -> str:
    """``text`` up to its first such character."""
    end = unseen(text)
    return text if end is None else text[: end - 1]
