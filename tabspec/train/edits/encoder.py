"""Turns examples of edits into tokens, each marked with its `Part`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from tokenizers import Encoding, Tokenizer

from tabspec.prompt import edit_format
from tabspec.prompt.edit_format import Tag
from tabspec.prompt.fim import PromptPart
from tabspec.train.edits.layout import Layout, PlaceQuestion
from tabspec.train.examples.parts import Part
from tabspec.train.examples.tokenizer import special_id

MOST_TOKENS = 1_024  # of an example
HISTORY_TOKENS = 384

_TAG_PARTS = {Tag.STAYS: Part.TAG_STAYS, Tag.CHANGES: Part.TAG_CHANGES, Tag.INSERTS: Part.TAG_INSERTS}


class EditEncoder:
    """Encodes examples as serving does: each text between two special tokens by itself."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.encode_special_tokens = True  # names of special tokens in files are usual text
        self._tokenizer = tokenizer
        e = edit_format
        self._ids = {
            special: special_id(tokenizer, special.token)
            for special in (e.FILE, e.RELATED, e.END, e.EDIT, e.TO, e.SCAN, e.AT, e.OLD, e.NEW, e.SAME)
        }

    def encode(self, layouts: Sequence[Layout]) -> list[list[int]]:
        """The marked tokens of each example. Old edits and last questions are left out until it fits. An example that
        does not fit even so has no tokens."""
        prompts = [_prompt(layout) for layout in layouts]
        texts = [part for prompt in prompts for group in prompt for part in group if isinstance(part, str)]
        encoded = iter(self._tokenizer.encode_batch(texts, add_special_tokens=False))
        return [self._join(layout, prompt, encoded) for layout, prompt in zip(layouts, prompts, strict=True)]

    def _join(self, layout: Layout, prompt: list[tuple[PromptPart, ...]], encoded: Iterator[Encoding]) -> list[int]:
        groups: list[list[list[int]]] = []
        scan: Encoding | None = None
        for group in prompt:
            ids: list[list[int]] = []
            for part in group:
                if isinstance(part, str):
                    found = next(encoded)
                    ids.append(found.ids)
                    scan = found if group is prompt[1] else scan
                else:
                    ids.append([self._ids[part]])
            groups.append(ids)
        head, scanned, *rest = groups
        past, asked = rest[: len(layout.history)], rest[len(layout.history) :]
        history: list[int] = []
        for edit in reversed(past):
            tokens = [token for ids in edit for token in ids]
            if len(tokens) + len(history) > HISTORY_TOKENS:
                break
            history = tokens + history
        if layout.history and not history:
            return []
        before = [token for ids in (*head, history, scanned[0]) for token in ids]
        context = Part.CONTEXT.mark(before)
        if scan is not None:
            context += _tagged(layout, scan)
        for number, question in enumerate(layout.questions):
            tokens = self._question(question, asked[2 * number], asked[2 * number + 1])
            if len(context) + len(tokens) > MOST_TOKENS:
                break
            context += tokens
        return context if len(context) <= MOST_TOKENS else []

    def _question(self, question: PlaceQuestion, asked: list[list[int]], answer: list[list[int]]) -> list[int]:
        window = asked[-2] if question.start < question.stop else []
        written = [token for ids in answer for token in ids]
        return Part.CONTEXT.mark([token for ids in asked for token in ids]) + _answer(window, written)


def _prompt(layout: Layout) -> list[tuple[PromptPart, ...]]:
    """Groups of parts: the head, the scan, each past edit, and each question and answer."""
    name = (layout.name,) if layout.name else ()
    groups: list[tuple[PromptPart, ...]] = [
        (edit_format.FILE, *name),
        (edit_format.SCAN, edit_format.scanned(layout.lines)),
    ]
    groups += [edit_format.past(edit) for edit in layout.history]
    for q in layout.questions:
        groups.append(edit_format.question(q.lines, q.start, q.stop))
        groups.append(edit_format.answer(q.lines[q.start : q.stop], q.new))
    return groups


def _tagged(layout: Layout, scan: Encoding) -> list[int]:
    """The tokens of the scanned lines, marked with the tags of the lines."""
    tokens = Part.CONTEXT.mark(scan.ids)
    for line, offset in edit_format.tag_ends(layout.lines):
        at = scan.char_to_token(offset)
        if at is not None:
            tokens[at] = _TAG_PARTS[layout.tags[line]].mark([scan.ids[at]])[0]
    return tokens


def _answer(window: list[int], answer: list[int]) -> list[int]:
    """The tokens of an answer: those that are copied from the window, and those that are written."""
    copied = [False] * len(answer)
    for block in SequenceMatcher(None, window, answer, autojunk=False).get_matching_blocks():
        # the first token is a decision that something changes, and the first one after a difference to go on copying
        first = block.b + 1
        copied[first : block.b + block.size] = [True] * max(block.b + block.size - first, 0)
    return [(Part.COPIED if c else Part.WRITTEN).mark([t])[0] for t, c in zip(answer, copied, strict=True)]
