"""Leftovers of a rename: the places where the old name of an identifier still stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.changes import Change
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.renames.anew import is_in_use
from tabspec.edits.proposals.renames.mates import aligned, mate, members
from tabspec.edits.proposals.renames.objects import is_of_module, is_of_type
from tabspec.edits.proposals.tokens import is_identifier, occurrences, subwords, tokens
from tabspec.edits.step import Step
from tabspec.text import Document, Edit

# More places than this are a search-and-replace, which editors have a command for.
MOST_PLACES = 200
# Languages in which a name before a colon, `{name: 1}`, is a field, and a field's name stands alone nowhere else.
_KEYED = ("go", "rust", "javascript", "typescript", "tsx")
# An object other than the function's own, before a member.
_OBJECT = re.compile(r"(?<!\bself)(?<!\bthis)(?<!\bcls)(?:\.|->|::)$")
_LONGEST_OBJECT = 8


@dataclass(frozen=True)
class Rename:
    """A name, its new one, and the changes that show it, oldest first. ``mixed``: each of these steps also changed
    something else, so that the name may now stand for something else (``app: App`` became ``context: Context``)."""

    old: str
    new: str
    shown: tuple[Change, ...]
    mixed: bool = False


def renames(changes: Sequence[Change]) -> tuple[Rename, ...]:
    """The renames in these changes, the latest first. A name that became two different ones, or returned to the old
    one, is not renamed."""
    became: dict[str, Rename] = {}
    unclear: set[str] = set()
    pairs: dict[int, set[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for change in changes:
        pairs.setdefault(change.step.digest, set()).add((change.old, change.new))
    for change in changes:
        word = change.is_word and is_identifier(change.old[0]) and is_identifier(change.new[0])
        if not change.alone or not (word or _is_alias(change)):
            continue
        old, new = change.old[0] if word else change.left[-1], change.new[-1]
        if not old.strip("_"):
            continue  # no name: the next `_` is another value that is not used
        if (word and occurrences(change.step.new, old)) or occurrences(change.step.old, new):
            continue  # both names are still in use: here one was replaced by the other
        for first in [each for each in became.values() if each.new == old]:
            became[first.old] = replace(first, new=new)  # renamed once more: the first name goes to the last one
        known = became.get(old)
        if known is not None and known.new != new:
            unclear.add(old)
        shown = (*known.shown, change) if known is not None else (change,)
        became.pop(old, None)
        became[old] = Rename(old, new, shown, all(len(pairs[each.step.digest]) > 1 for each in shown))
    unclear |= {each.old for each in became.values() if any(_is_other(each, change) for change in changes)}
    names = {each.new for each in became.values()}
    clear = [each for each in became.values() if each.old not in unclear | names and each.old != each.new]
    return tuple(reversed(clear))


def _is_alias(change: Change) -> bool:
    """Whether a module got another name: ``as np`` was put in after ``import numpy``. What is imported from a module
    gets one where its own name becomes another thing's: 1 of 12 edits after such a change was right."""
    left = change.left
    put_in = not change.old and change.new[:1] == ("as",) and len(change.new) == 2 and left[-2:-1] != (".",)
    return put_in and "import" in left and not {"from", "{"}.intersection(left) and is_identifier(left[-1])


def _is_other(rename: Rename, change: Change) -> bool:
    """Whether something else than the new name took the place of the old one."""
    return bool(change.new) and rename.old in change.old and rename.new not in change.new and change not in rename.shown


def leftovers(
    rename: Rename, document: Document, places: Places, done: frozenset[str], steps: Sequence[Step]
) -> Iterator[Found]:
    """Where the old name is still used in its scope. ``done`` are lines that the user has just written, ``steps`` all
    that patterns are learned from."""
    scope, kind, now = _scope(rename, document, places)
    if scope is None or kind.startswith("used"):
        return  # only a use was renamed: one place took another name, which is no reason to rename the others
    old = rename.old
    if is_in_use((old, rename.new), [change.step for change in rename.shown], steps, places, scope):
        return
    if kind.startswith("local") and rename.new.strip("_") in ("", old.strip("_")):
        return  # `_` and `_name` are not used: what is left will be removed
    left = _left(rename, places, scope, kind, now)
    method = kind == "defined" and now is not None and places.is_method(now)
    if kind in ("local", "defined") and any(places.is_definition(at) for at in left):
        kind = "shadowed"  # still defined elsewhere in its scope: what is left may mean that other definition
    if kind == "local" and _is_outer(old, document, places, scope):
        return  # also defined around the function: what is left may mean that, now that it is seen
    for at in left:
        if places.line(at) in done or (method and not places.is_member(at)) or has_both(rename.new, places, at):
            continue
        bucket = _bucket(kind, rename, places, at, now)
        if bucket is None:
            continue
        yield Found(document, aligned(document, Edit(at, len(old), rename.new)), EditSource.RENAME, bucket)
        other = mate(document, at, old, rename.new, places.grammar) if kind == "local" else None
        if other is not None:
            yield Found(document, other, EditSource.RENAME, "mate")
    if kind == "local":
        for at in members(document, old, rename.new, scope):
            if places.is_code(at):
                yield Found(document, Edit(at, len(old), rename.new), EditSource.RENAME, "mate")


def _left(rename: Rename, places: Places, scope: tuple[int, int], kind: str, now: int | None) -> list[int]:
    """Where the old name stands in its scope, as code of the sort that was renamed: an attribute, a field or neither.
    ``now``: where the new name was defined."""
    found = [at for at in occurrences(places.document.text, rename.old) if scope[0] <= at < scope[1]][:MOST_PLACES]
    found = [at for at in found if _to_be_changed(rename, places, at)]
    if _is_alias(rename.shown[-1]):
        found = [at for at in found if not places.is_import(at)]  # `from numpy import array` names the module itself
    if kind == "attribute":
        return [at for at in found if places.is_own(at)]
    if kind == "defined" and now is not None and not places.is_method(now):
        field = places.is_field_of_type(now)
        if field or not places.is_in_type(now):
            return [at for at in found if _is_field(places, at) is field]
    return found


def _is_field(places: Places, at: int) -> bool:
    """Whether a place is the field or the method of an object, or a field that is written out before its value."""
    member = places.is_member(at) and places.document.text.endswith(".", 0, at)
    return member or (places.grammar in _KEYED and places.is_field(at))


def _is_outer(name: str, document: Document, places: Places, scope: tuple[int, int]) -> bool:
    """Whether ``name`` is defined around the function with the range ``scope``, by an outer one or by none."""
    for at in occurrences(document.text, name)[:MOST_PLACES]:
        if scope[0] <= at < scope[1] or not places.is_code(at) or places.is_member(at):
            continue
        if places.is_import(at) or (places.is_definition(at) and not places.is_method(at)):
            function = places.function(at)
            if function is None and not places.owner(at):
                return True
            if function is not None and function[0] <= scope[0] and scope[1] <= function[1]:
                return True
    return False


def _bucket(kind: str, rename: Rename, places: Places, at: int, now: int | None) -> str | None:
    """The case of a use in the table of probabilities; None if something else is used there."""
    text, case = places.document.text, kind
    if kind == "local" and (places.is_member(at) or places.is_field(at) or _is_keyword(text, at, rename.old)):
        return None
    if kind == "local" and places.is_type(at) and now is not None and not places.is_type(now):
        return None  # Go: `bool` in `func f() bool` after `v, bool := f()`
    if kind == "defined" and _OBJECT.search(text, max(at - _LONGEST_OBJECT, 0), at):
        # A member of an object whose type is not known: other types often have a method of that name, too.
        case = "called" if text.startswith("(", at + len(rename.old)) else "reached"
    if rename.new.rstrip("0123456789") == rename.old:
        case = "numbered"  # one of several: what is left is often given other numbers
    if case == "reached" and ((now is not None and places.is_method(now)) or is_of_module(places, at)):
        return None  # another object's field
    if rename.mixed and case != "shadowed":
        return f"{case}-mixed"
    return "typed" if case == "called" and now is not None and is_of_type(places, at, places.owner(now)) else case


def is_of_definition(rename: Rename, document: Document, places: Places) -> bool:
    """Whether a definition was renamed. Then its scope, not similar context, determines where the name is left over."""
    return not _scope(rename, document, places)[1].startswith("used")


def is_inside(rename: Rename, places: Places) -> bool:
    """Whether the name is known inside one function or class only: a local name, or a member that is set there."""
    return _scope(rename, places.document, places)[1] in ("local", "attribute")


def _scope(rename: Rename, document: Document, places: Places) -> tuple[tuple[int, int] | None, str, int | None]:
    """The range in which the old name may be left over (None: nowhere), the case in the table of probabilities, and
    where the new name stands: the last definition among the examples, else the last example."""
    for change in reversed(rename.shown):
        at = _now(change, rename, document)
        found = _defined(change, rename, places, at) if at is not None and places.is_code(at) else None
        if found is not None:
            return *found, at
    last = _now(rename.shown[-1], rename, document)
    if last is not None and not places.is_code(last):
        return None, "", last
    count = len({change.step.digest for change in rename.shown})
    return (0, len(document.text)), f"used-{min(count, 3)}", last


def _defined(change: Change, rename: Rename, places: Places, at: int) -> tuple[tuple[int, int], str] | None:
    """The range of the definition at ``at``, which ``change`` renamed, and its case; None where it is a use."""
    whole = (0, len(places.document.text))
    own = places.own_class(at)
    if own is not None:
        return own, "attribute"
    if _is_alias(change) and places.is_import(at):
        return whole, "defined"
    if places.is_definition(at) and not (places.is_import(at) and not _alike(rename)):
        function = places.function(at)
        return (function, "local") if function else (whole, "defined")
    return None


def _alike(rename: Rename) -> bool:
    """Whether both names share a word. An import whose name changes without one is often of another thing."""
    old, new = ({word for word in subwords(name) if len(word) > 2} for name in (rename.old, rename.new))
    return bool(old & new)


def _now(change: Change, rename: Rename, document: Document) -> int | None:
    """Where the new name stands in the document now, if the step's lines are still there."""
    lines = change.step.new
    if change.step.uri != document.uri or not lines.strip():
        return None
    body = lines.rstrip("\r\n")
    starts = [at for at in _all(document.text, body) if at == 0 or document.text[at - 1] in "\r\n"]
    if not starts:
        return None
    start = min(starts, key=lambda at: abs(at - change.step.offset))
    inside = [token.start for token in tokens(body) if token.text == rename.new]
    return start + inside[0] if inside else None


def _all(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + max(len(part), 1))


def _to_be_changed(rename: Rename, places: Places, at: int) -> bool:
    """Whether the place is code, and a member if all examples are members. Strings and comments stay as they are."""
    member = {change.left[-1:] == (".",) or change.left[-2:] in (("-", ">"), (":", ":")) for change in rename.shown}
    if member == {True} and not places.is_member(at) and not places.is_definition(at):
        return False
    return places.is_code(at) and not _is_directive(places, at)


def has_both(name: str, places: Places, at: int) -> bool:
    """Whether the line of a place has ``name``, its new one, already: it would define it by itself, or name it twice.
    The member in `self.speed = velocity` and the key in `{speed: velocity}` are other names."""
    text, start, member = places.document.text, places.line_start(at), places.is_member(at)
    for each in occurrences(places.line(at), name):
        other = start + each
        if not places.is_code(other) or places.is_member(other) is not member or places.is_field(other):
            continue
        if not _is_keyword(text, other, name):
            return True
    return False


def _is_directive(places: Places, at: int) -> bool:
    """Whether a line is one of C's preprocessor: its names are macros."""
    return places.grammar in ("c", "cpp", "cuda", "objc", "csharp") and places.line(at).lstrip().startswith("#")


def _is_keyword(text: str, at: int, name: str) -> bool:
    """Whether a name is an argument's keyword: ``name=...`` in a call."""
    before = text[:at].rstrip()[-1:]
    after = text[at + len(name) : at + len(name) + 2].lstrip()
    return before in ("(", ",") and after[:1] == "=" and after[:2] != "=="
