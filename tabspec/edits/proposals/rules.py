"""The same change on other lines: rewriting rules with a context, learned from one example or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.changes import CONTEXT, Change
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.tokens import LINE_END, Words, is_identifier
from tabspec.text import Document, Edit, is_word

_HOLE = "\0"
# A rule that fits more places is too general to be right.
MOST_PLACES = 60


@dataclass(frozen=True)
class Rule:
    """Replace ``old`` by ``new`` between ``left`` and ``right``: what all its examples have in common, with holes where
    they have different words."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    text: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    examples: int
    sample: Change  # the latest of its examples


def rules(changes: Sequence[Change]) -> tuple[Rule, ...]:
    """The rules that changes show, the latest first."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Change]] = {}
    for change in changes:
        key = change.old, change.new
        groups.setdefault(key, []).append(change)
        groups[key] = groups.pop(key)  # the latest last
    back = {(new, old) for old, new in groups}
    found = []
    for (old, new), members in reversed(groups.items()):
        if (old, new) in back:
            continue
        left, right = members[0].left, members[0].right
        for member in members[1:]:
            left, right = _both(left[::-1], member.left[::-1])[::-1], _both(right, member.right)
        found.append(
            Rule(old, new, members[-1].text, left, right, len({_place(member) for member in members}), members[-1])
        )
    return tuple(found)


def _place(change: Change) -> object:
    return change.step.digest, change.start


def applied(rule: Rule, document: Document, words: Words, places: Places, done: frozenset[str]) -> Iterator[Found]:
    """Where the rule fits the document."""
    if not _is_telling(rule):
        return
    hits = 0
    for at in _candidates(rule, words):
        left, right = _fits(rule, words, at)
        bucket = _bucket(rule, left, right)
        if bucket is None or _is_done(rule, words, at):
            continue
        edit = _edit(rule, document, words, at)
        if places.line(edit.offset) in done or not places.is_code(
            words[at].start if at < len(words) else len(document.text) - 1
        ):
            continue
        hits += 1
        if hits > MOST_PLACES:
            return
        yield Found(document, edit, EditSource.SIBLING, bucket)


def _is_telling(rule: Rule) -> bool:
    """Whether a rule contains a name that identifies its places."""
    beside = (*rule.left[-2:], *rule.right[:2]) if rule.old else (*rule.left[-4:], *rule.right[:4])
    if rule.examples > 1:
        beside = (*rule.left, *rule.right)
    return any(is_identifier(each) and len(each) > 2 for each in (*rule.old, *beside))


def _candidates(rule: Rule, words: Words) -> Iterator[int]:
    """Indexes at which ``old`` begins, or where something would be put in."""
    pattern = rule.old
    back = 0
    if not pattern:  # the nearest tokens beside, without holes
        left = rule.left[-1:] if rule.left[-1:] != (_HOLE,) else ()
        right = rule.right[:1] if rule.right[:1] != (_HOLE,) else ()
        pattern, back = (*left, *right), len(left)
    if not pattern:
        return
    size, texts, at = len(pattern), words.texts, -1
    while True:
        try:
            at = texts.index(pattern[0], at + 1)
        except ValueError:
            break
        if tuple(texts[at : at + size]) == pattern:
            yield at + back
    if not rule.old and rule.left[-1:] == (LINE_END,) and texts[: size - 1] == list(pattern[1:]):
        yield 0  # the text's first line has no line end before it


def _fits(rule: Rule, words: Words, at: int) -> tuple[int, int]:
    """How many tokens of the rule's context stand beside a place."""
    texts = words.texts
    before = texts[max(at - CONTEXT - 1, 0) : at]
    if at <= CONTEXT:
        before.insert(0, LINE_END)
    end = at + len(rule.old)
    after = texts[end : end + CONTEXT + 1]
    if end + CONTEXT >= len(texts):
        after.append(LINE_END)
    return _fitting(rule.left[::-1], before[::-1]), _fitting(rule.right, after)


def _bucket(rule: Rule, left: int, right: int) -> str | None:
    """The case in the table of probabilities; None where the context does not fit."""
    examples = min(rule.examples, 3)
    kind = "word" if len(rule.old) == len(rule.new) == 1 else "replaced" if rule.new else "deleted"
    kind = kind if rule.old else "inserted"
    if rule.examples > 1:
        if (left, right) != (len(rule.left), len(rule.right)):
            return None
        known = sum(each != _HOLE for each in (*rule.left, *rule.right))
        context = min(known, 6) // 2
        return f"{kind}-{examples}-{context}"
    if not rule.old and (not left or not right):
        return None
    context = min(left + right, 9) // 3
    return f"{kind}-1-{context}"


def _is_done(rule: Rule, words: Words, at: int) -> bool:
    """Whether the new tokens stand there already."""
    size = len(rule.new)
    if not size:
        return False
    texts = tuple(words.texts[max(at - size, 0) : at + size])
    return any(texts[i : i + size] == rule.new for i in range(len(texts) - size + 1))


def _edit(rule: Rule, document: Document, words: Words, at: int) -> Edit:
    """The change at a place, with the white space that belongs to it."""
    end = at + len(rule.old)
    if rule.old and rule.new:
        return Edit(words[at].start, words[end - 1].end - words[at].start, rule.text)
    text = document.text
    if not rule.old:
        before, after = words[at - 1].end if at else 0, words[at].start if at < len(words) else len(text)
        sample = rule.sample
        if sample.gap == sample.head:
            return Edit(after, 0, rule.text + sample.tail)
        if sample.gap == sample.tail:
            return Edit(before, 0, sample.head + rule.text)
        return Edit(before, after - before, sample.head + rule.text + sample.tail)
    start, stop = words[at].start, words[end - 1].end
    following = words[end].start if end < len(words) else len(text)
    if end < len(words) and words[end].text != LINE_END:
        return Edit(start, following - start, "")
    before = words[at - 1].end if at and words[at - 1].text != LINE_END else start
    return Edit(before, stop - before, "")


def _both(a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
    """What two contexts have in common, from the change outwards; a hole where both have a word, but not the same."""
    found: list[str] = []
    for x, y in zip(a, b, strict=False):
        if x != y and not (_is_word(x) and _is_word(y)):
            break
        found.append(x if x == y else _HOLE)
    while found and found[-1] == _HOLE:
        found.pop()
    return tuple(found)


def _fitting(rule: Sequence[str], place: Sequence[str]) -> int:
    """How many tokens of a rule's context a place has, from the change outwards."""
    size = 0
    while size < min(len(rule), len(place)) and (
        rule[size] == place[size] or (rule[size] == _HOLE and _is_word(place[size]))
    ):
        size += 1
    return size


def _is_word(token: str) -> bool:
    return token == _HOLE or is_word(token[0])
