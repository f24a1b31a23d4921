"""Characters that are never offered: a reader would not see them, or would read the text in another order than it has.

What is accepted must be what is seen. These characters change how an editor or a terminal shows a text, split lines
where other programs see none, or make two names look alike. A model may have learned them; a server may send them.

- Controls (C0, DEL, C1) but tab and line ends: terminals obey them. Line ends become the document's own
  (`tabspec.fitting.cleaning`), so that no single carriage return is offered.
- Line and paragraph separator: line ends to JavaScript, not to editors.
- Marks, embeddings, overrides and isolates of bidirectional text: the line is read in another order than it runs.
- What Unicode has drawn as nothing (Default_Ignorable_Code_Point): zero-width characters, fillers, variation selectors,
  tags. The joiners that some scripts and emoji need are among them: in a name they cannot be seen either.
- Annotation marks, and lone surrogates, which UTF-8 cannot hold.
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
    """The length of ``text`` up to its first such character, and with it; None if there is none.

    The first ``since`` characters are known to hold none.
    """
    found = _UNSEEN.search(text, since)
    return found and found.end()


def cut_unseen(text: str) -> str:
    """``text`` up to its first such character."""
    end = unseen(text)
    return text if end is None else text[: end - 1]
