"""Edits of calls and of runs of words: arguments that come, go or move, wrapped and unwrapped expressions."""

from __future__ import annotations

from collections import defaultdict
from random import Random

from tabspec.train.edits.synthetic.naming import new_name
from tabspec.train.edits.synthetic.region import Changes, Region, Word, WordKind, arguments, closing, replaced

_VALUES = [
    "None",
    "True",
    "False",
    "0",
    "1",
    "10",
    '"utf-8"',
    "{}",
    "[]",
    "null",
    "undefined",
    "ctx",
    "self",
    "timeout",
]
_WRAPPERS = [
    "str", "list", "tuple", "int", "len", "Path", "bool", "float", "await ", "not ", "sorted", "set", "dict", "repr",
    "String", "Number", "Boolean", "Some", "Ok", "Box::new", "Arc::new", "asyncio.run", "cast", "escape", "quote",
    "normalize", "resolve", "copy", "deepcopy", "np.asarray", "torch.tensor", "JSON.stringify", "Object.freeze",
]  # fmt: skip


def change_arguments(region: Region, rng: Random) -> Changes | None:
    """The calls of a function get one more argument, lose one, or have two exchanged; the definition with them."""
    calls = _calls(region)
    often = [name for name, found in calls.items() if len({w.line for w, _, _ in found}) >= 2]
    if not often:
        return None
    name = rng.choice(often)
    kind, first, named = rng.random(), rng.random() < 0.3, rng.random() < 0.5
    new = rng.choice(list(region.names) or ["value"])
    value = rng.choice([*_VALUES, new, new])
    at = rng.choice((0, 0, 1, 1, 2))
    edits: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for word, opener, closer in calls[name]:
        line = region.lines[word.line]
        inside = line[opener + 1 : closer]
        args = arguments(inside)
        texts = [inside[a:b] for a, b in args]
        defined = word.start > 3 and line[: word.start].rstrip().endswith(("def", "fn", "function"))
        if kind < 0.5:
            sign = ": " if region.language in ("typescript", "rust") else "="
            added = new if defined else (f"{new}={value}" if named and region.language == "python" else value)
            if defined and rng.random() < 0.5:
                added = f"{new}{sign}{value}" if region.language == "python" else new
            after_self = first and texts[:1] in (["self"], ["&self"], ["&mut self"])
            place = (1 if after_self else 0) if first else len(texts)
            texts.insert(place, added)
        elif kind < 0.75:
            if len(texts) <= at:
                continue
            del texts[at]
        elif kind < 0.87:
            if len(texts) < 2 or texts[0] in ("self", "&self"):
                continue
            texts[0], texts[1] = texts[1], texts[0]
        else:
            if len(texts) <= at:
                continue
            texts[at] = f"{new}={texts[at]}" if region.language == "python" and "=" not in texts[at] else value
        edits[word.line].append((opener + 1, closer, ", ".join(texts)))
    return _flat(region, edits)


def wrap(region: Region, rng: Random) -> Changes | None:
    """An expression that stands at several places is wrapped in a call; or the whole call of a function is."""
    inner: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    if rng.random() < 0.5:
        for name, found in _calls(region).items():
            inner[name] = [(w.line, _start(region, w), closer + 1) for w, _, closer in found if not _defined(region, w)]
    else:
        for found in _calls(region).values():
            for word, opener, closer in found:
                inside = region.lines[word.line][opener + 1 : closer]
                for a, b in arguments(inside):
                    inner[inside[a:b]].append((word.line, opener + 1 + a, opener + 1 + b))
    often = [text for text, found in inner.items() if len({line for line, _, _ in found}) >= 2 and "=" not in text]
    if not often:
        return None
    text = rng.choice(often)
    wrapper = rng.choice(_WRAPPERS)
    if rng.random() < 0.4 and region.names:
        wrapper = rng.choice(list(region.names))
    extra = f", {rng.choice(list(region.names))}" if region.names and rng.random() < 0.2 else ""
    edits: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for line, start, end in inner[text]:
        old = region.lines[line][start:end]
        new = f"{wrapper}{old}" if wrapper.endswith(" ") else f"{wrapper}({old}{extra})"
        edits[line].append((start, end, new))
    return _flat(region, edits)


def replace_run(region: Region, rng: Random) -> Changes | None:
    """Two to six words that stand at several places in this order become others."""
    words = region.words
    if len(words) < 20:
        return None
    for _ in range(8):
        at, size = rng.randrange(len(words) - 6), rng.randint(2, 6)
        run = words[at : at + size]
        if run[0].line != run[-1].line or not any(w.kind is WordKind.NAME for w in run):
            continue
        text = region.lines[run[0].line][run[0].start : run[-1].end]
        if len(text) < 4 or sum(text in line for line in region.lines) < 2:
            continue
        new = _other_run(text, run, rng, list(region.names))
        whole = {w.line: region.lines[w.line].replace(text, new) for w in words if text in region.lines[w.line]}
        return {number: (line,) for number, line in whole.items() if line != region.lines[number]}
    return None


def _other_run(text: str, run: list[Word], rng: Random, names: list[str]) -> str:
    at = rng.randrange(len(run))
    word = run[at]
    name = rng.choice(names) if names else "other"
    kind = rng.random()
    if kind < 0.45 and word.kind is WordKind.NAME:
        new = new_name(word.text, rng, names)
    elif kind < 0.6:
        new = f"{word.text}.{name}" if word.kind is WordKind.NAME else f"{word.text}{name}"
    elif kind < 0.75:
        new = ""
    elif kind < 0.85:
        return f"{name}.{text}" if rng.random() < 0.5 else f"{name}({text}"
    else:
        return name if rng.random() < 0.6 else f"{name}.{rng.choice(names) if names else name}"
    start = word.start - run[0].start
    return text[:start] + new + text[start + len(word.text) :]


def _calls(region: Region) -> dict[str, list[tuple[Word, int, int]]]:
    """For each name: its calls that end on the same line, with the places of their brackets."""
    found: defaultdict[str, list[tuple[Word, int, int]]] = defaultdict(list)
    words = region.words
    for name, places in region.names.items():
        if len(places) < 2:
            continue
        for place in places:
            word = words[place]
            line = region.lines[word.line]
            if line[word.end : word.end + 1] == "(":
                closer = closing(line, word.end)
                if closer is not None:
                    found[name].append((word, word.end, closer))
    return found


def _start(region: Region, word: Word) -> int:
    """Where the expression that ends in a name begins: with ``a`` in ``a.b.name``."""
    line, at = region.lines[word.line], word.start
    while at > 0 and (line[at - 1].isalnum() or line[at - 1] in "_."):
        at -= 1
    return at


def _defined(region: Region, word: Word) -> bool:
    return region.lines[word.line][: word.start].rstrip().endswith(("def", "fn", "function", "class", "new"))


def _flat(region: Region, edits: dict[int, list[tuple[int, int, str]]]) -> Changes:
    """The changes of all ranges; where one lies in another, the inner one is left out."""
    changes: Changes = {}
    for number, found in edits.items():
        kept: list[tuple[int, int, str]] = []
        for start, end, text in sorted(found):
            if not kept or start >= kept[-1][1]:
                kept.append((start, end, text))
        changes[number] = (replaced(region.lines[number], kept),)
    return changes
