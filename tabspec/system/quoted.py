"""What another program said, inside one of our messages: between typographic quotes, so that a log can leave it out.

A server's error text may repeat the prompt, and so the user's text. The user may read it; a log file must not keep it.
"""

from __future__ import annotations

import logging
import re

# One line in a message box.
LONGEST = 160

_QUOTED = re.compile("“[^”]*”?")


def quoted(text: str) -> str:
    """``text`` as one line in quotes, cut to `LONGEST` characters, without control and direction characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    line = line.replace("“", '"').replace("”", '"')
    return f"“{line if len(line) <= LONGEST else line[: LONGEST - 3] + '...'}”"


def without_quotes(text: str) -> str:
    """``text`` with everything that `quoted` made left out."""
    return _QUOTED.sub("“…”", text)


class QuotelessFormatter(logging.Formatter):
    """Formats log records, tracebacks too, without what other programs said."""

    def format(self, record: logging.LogRecord) -> str:
        return without_quotes(super().format(record))
