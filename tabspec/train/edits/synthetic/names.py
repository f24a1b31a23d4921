"""Renames: of a name everywhere, within a block, or only where it is an attribute, a call or a plain name."""

from __future__ import annotations

import re
from random import Random

from tabspec.train.edits.synthetic.naming import new_name
from tabspec.train.edits.synthetic.region import Changes, Region, Word, WordKind

_TYPES = {
    "python": (
        "str",
        "int",
        "bool",
        "float",
        "Any",
        "None",
        "bytes",
        "Path",
        "dict[str, Any]",
        "list[str]",
        "Callable",
    ),
    "typescript": ("string", "number", "boolean", "unknown", "void", "string[]", "Promise<void>", "Error"),
    "rust": ("&str", "usize", "u64", "String", "bool", "Option<T>", "&[u8]"),
}


def rename(region: Region, rng: Random) -> Changes | None:
    """A name of the region gets another name at each place that means the same. Equal words elsewhere stay."""
    often = [name for name, found in region.names.items() if len(found) >= 2 and len(name) > 1]
    if not often:
        return None
    name = rng.choice(often)
    places = region.names[name]
    kind = rng.random()
    words = region.words
    if kind < 0.3:  # a local name: the block around one of its places
        first, last = region.block(words[rng.choice(places)].line)
        places = [place for place in places if first <= words[place].line < last]
    elif kind < 0.5:  # only attributes, or only others
        attributes = rng.random() < 0.5
        places = [place for place in places if _after_dot(words, place) == attributes]
    elif kind < 0.6:  # only calls, or only others
        calls = rng.random() < 0.7
        places = [place for place in places if _called(words, place) == calls]
    elif kind < 0.65:  # only keywords of arguments
        places = [place for place in places if _before(words, place, "=") and not _after_dot(words, place)]
    if len({words[place].line for place in places}) < 2:
        return None
    others = [other for other in region.names if other[0].isupper() == name[0].isupper() and other != name]
    new = new_name(name, rng, others)
    edits = [(words[place], new) for place in places]
    if rng.random() < 0.25:  # in comments and strings, too
        edits += [(w, _in_text(w.text, name, new)) for w in words if w.kind in (WordKind.STRING, WordKind.COMMENT)]
    return region.rewritten([(word, text) for word, text in edits if text != word.text])


def qualify(region: Region, rng: Random) -> Changes | None:
    """A name gets an object before it (``x`` to ``self.x``), or another one."""
    words = region.words
    often = [name for name, found in region.names.items() if len(found) >= 2]
    if not often:
        return None
    name = rng.choice(often)
    owner = rng.choice(["self", "self", "this", "cls", "ctx", "config", "super()", "np", "typing", "os", "utils"])
    if rng.random() < 0.5 and region.names:
        owner = rng.choice(list(region.names))
    places = [place for place in region.names[name] if not _after_dot(words, place)]
    return region.rewritten([(words[place], f"{owner}.{name}") for place in places])


def hop(region: Region, rng: Random) -> Changes | None:
    """An attribute moves: ``a.x`` becomes ``a.b.x``, ``a.x()`` or ``a["x"]``."""
    words = region.words
    often = [n for n, found in region.names.items() if sum(_after_dot(words, place) for place in found) >= 2]
    if not often:
        return None
    name = rng.choice(often)
    places = [place for place in region.names[name] if _after_dot(words, place)]
    kind = rng.random()
    if kind < 0.45:
        inner = rng.choice(list(region.names))
        new = f"{inner}.{name}" if rng.random() < 0.7 else f"{name}.{inner}"
    elif kind < 0.7:
        places = [place for place in places if not _called(words, place) and not _before(words, place, "=")]
        new = f"{name}()"
    elif kind < 0.85:
        new = f"{name}!" if region.language == "typescript" else f"{name}.value"
    else:
        places = [place for place in places if not _called(words, place)]
        return _subscripted(region, [words[place] for place in places], name)
    return region.rewritten([(words[place], new) for place in places])


def annotate(region: Region, rng: Random) -> Changes | None:
    """A parameter, an attribute or a result gets a type, wherever it is defined without one."""
    classes = [name for name in region.names if name[0].isupper()]
    types = [*_TYPES.get(region.language, _TYPES["typescript"]), *classes]
    kind = rng.choice(types)
    if region.language == "python" and rng.random() < 0.3:
        kind = f"{kind} | None" if rng.random() < 0.5 else f"Optional[{kind}]"
    changes: Changes = {}
    if rng.random() < 0.3:  # results
        pattern = re.compile(r"^(\s*(?:async )?def \w+\(.*\)):$|^(\s*(?:async |pub |export |function )*\w+\(.*\)) \{$")
        for number, line in enumerate(region.lines):
            found = pattern.match(line)
            if found:
                head = found.group(1)
                changes[number] = (f"{head} -> {kind}:" if head else f"{found.group(2)}: {kind} {{",)
        return changes
    words = region.words
    often = [name for name, places in region.names.items() if len(places) >= 2 and name != "self"]
    for name in rng.sample(often, min(len(often), 12)):
        edits = [
            (words[place], f"{name}: {kind}")
            for place in region.names[name]
            if words[place + 1 : place + 2]
            and words[place + 1].text in (",", ")", "=")
            and words[place - 1].text in ("(", ",")
            and re.search(r"\b(?:def|function|fn|constructor)\b", region.lines[words[place].line])
        ]
        if len(edits) >= 2:
            return region.rewritten(edits)
    return None


def text_of_strings(region: Region, rng: Random) -> Changes | None:
    """A string or number that stands at several places changes."""
    found: dict[str, list[Word]] = {}
    for word in region.words:
        if word.kind in (WordKind.STRING, WordKind.NUMBER) and (len(word.text) > 3 or word.kind is WordKind.NUMBER):
            found.setdefault(word.text, []).append(word)
    often = [text for text, places in found.items() if len({w.line for w in places}) >= 2]
    if not often:
        return None
    text = rng.choice(often)
    if found[text][0].kind is WordKind.NUMBER:
        new = rng.choice([str(rng.randint(0, 9)), str(rng.randint(10, 5000)), text + "0", "None", "DEFAULT_SIZE"])
    else:
        inner = text.strip("rbfuRBFU").strip("\"'`")
        name = inner if inner.isidentifier() else ""
        changed = new_name(name, rng, list(region.names)) if name else _other_text(inner, rng, list(region.names))
        new = text.replace(inner, changed) if inner else f'"{changed}"'
        if rng.random() < 0.15:
            new = changed.upper().replace(" ", "_") if changed.replace(" ", "_").isidentifier() else new
    return region.rewritten([(word, new) for word in found[text] if new != text])


def _other_text(text: str, rng: Random, names: list[str]) -> str:
    words = text.split(" ")
    word = rng.choice(names) if names else "other"
    at = rng.randrange(len(words))
    return " ".join([*words[:at], word, *words[at + (rng.random() < 0.7) :]])


def _subscripted(region: Region, places: list[Word], name: str) -> Changes:
    changes: Changes = {}
    for word in reversed(places):
        line = changes[word.line][0] if word.line in changes else region.lines[word.line]
        changes[word.line] = (f'{line[: word.start - 1]}["{name}"]{line[word.end :]}',)
    return changes


def _in_text(text: str, name: str, new: str) -> str:
    return text.replace(name, new) if len(name) > 3 else text


def _after_dot(words: list[Word], place: int) -> bool:
    return place > 0 and words[place - 1].text == "." and words[place - 1].line == words[place].line


def _before(words: list[Word], place: int, mark: str) -> bool:
    following = words[place + 1 : place + 3]
    return bool(following) and following[0].text == mark and (len(following) < 2 or following[1].text != mark)


def _called(words: list[Word], place: int) -> bool:
    return place + 1 < len(words) and words[place + 1].text == "(" and words[place + 1].line == words[place].line
