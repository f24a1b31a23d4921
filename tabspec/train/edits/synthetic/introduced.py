"""A name comes or goes with all its lines: what defines it, then what uses it; an import with its use."""

from __future__ import annotations

import re
from random import Random

from tabspec.train.edits.synthetic.region import Changes, Region, WordKind, arguments, closing

_MOST_LINES = 5
_IMPORT = re.compile(r"^(\s*(?:from [\w.]+ )?import |\s*import (?:type )?\{ ?|use [\w:]+\{)(.*?)( ?\}.*|\};)?$")


def remove_name(region: Region, rng: Random) -> Changes | None:
    """All lines with a rare name are deleted; from lists of imports, parameters and arguments, only the name is."""
    words = region.words
    rare = [
        name
        for name, found in region.names.items()
        if len(name) > 2 and 2 <= len({words[place].line for place in found}) <= _MOST_LINES
    ]
    for name in rng.sample(rare, min(6, len(rare))):
        changes: Changes = {}
        for number in sorted({words[place].line for place in region.names[name]}):
            line = region.lines[number]
            rest = _without(line, name)
            if rest is None:
                break
            changes[number] = rest
        else:
            return changes
    return None


def _without(line: str, name: str) -> tuple[str, ...] | None:
    """A line without a name; no line, if it is about nothing else. None if it cannot simply be left out."""
    imported = _IMPORT.match(line)
    if imported:
        names = [part.strip() for part in imported.group(2).split(",")]
        kept = [part for part in names if not re.search(rf"\b{name}\b", part)]
        if len(kept) == len(names):
            return ()
        return (imported.group(1) + ", ".join(kept) + (imported.group(3) or ""),) if kept else ()
    found = re.search(rf"\b{re.escape(name)}\b", line)
    if found is None:
        return None
    for opener in [at for at, char in enumerate(line[: found.start()]) if char in "(["][::-1]:
        closer = closing(line, opener)
        if closer is None or closer < found.end():
            continue
        inside = line[opener + 1 : closer]
        args = [inside[a:b] for a, b in arguments(inside)]
        kept = [text for text in args if not re.search(rf"\b{re.escape(name)}\b", text)]
        if len(args) > 1 and len(kept) == len(args) - 1:
            rest = f"{line[: opener + 1]}{', '.join(kept)}{line[closer:]}"
            return (rest,) if not re.search(rf"\b{re.escape(name)}\b", rest) else None
    text = line.strip()
    balanced = sum(map(text.count, "([{")) == sum(map(text.count, ")]}"))
    opens = text.endswith((":", "{", "\\", "=", "(", "[")) or text.startswith(("elif", "else", "}", ")", "]", "."))
    return () if balanced and not opens else None


def comment_lines(region: Region, rng: Random) -> Changes | None:
    """A word in comments and long strings changes, where names of the same spelling stay."""
    found: dict[str, set[int]] = {}
    for word in region.words:
        if word.kind is WordKind.COMMENT:
            for text in set(re.findall(r"[A-Za-z]{4,}", word.text)):
                found.setdefault(text, set()).add(word.line)
    often = [text for text, lines in found.items() if 2 <= len(lines) <= 8]
    if not often:
        return None
    text = rng.choice(often)
    new = rng.choice([text.upper(), text.capitalize(), text + "s", *list(region.names)[:8]])
    pattern = re.compile(rf"\b{text}\b")
    marked = [word.line for word in region.words if word.kind is WordKind.COMMENT and word.line in found[text]]
    changes = {n: (pattern.sub(new, region.lines[n]),) for n in marked}
    return {n: lines for n, lines in changes.items() if lines[0] != region.lines[n]}
