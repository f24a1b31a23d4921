"""Examples of edits: their questions lead to the text after all hunks, their tokens are those of the served format."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.models.local.edits.prompts import EditPrompts
from tabspec.models.local.edits.scene import Scene
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.prompt import edit_format
from tabspec.prompt.edit_format import Tag, tag_ends, window_of
from tabspec.prompt.fim import Special
from tabspec.train.corpus.store import CorpusWriter
from tabspec.train.edits.encoder import HISTORY_TOKENS, MOST_TOKENS, EditEncoder
from tabspec.train.edits.hunks import applied, hunks_between
from tabspec.train.edits.layout import Layout, lay_out, tags
from tabspec.train.edits.moment import EditMoment
from tabspec.train.edits.pack import HUNKS, RELEASES, TEXTS
from tabspec.train.edits.rows import EditDataConfig
from tabspec.train.edits.synthetic.make import KINDS, synthetic_moment
from tabspec.train.edits.synthetic.region import Region
from tabspec.train.examples.parts import SHIFT, TOKEN, Part, parts_of, tokens_of
from tabspec.train.examples.stream import RowStream
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.goals import SpecialIds, goals_of
from tests.examples import examples
from tests.tools import REPOSITORY

BUNDLED = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
TOKENIZER = load_tokenizer(BUNDLED)
PROMPTS = EditPrompts(Vocabulary(BUNDLED.read_text(encoding="utf-8")))
CODE = REPOSITORY / "tests" / "fixtures" / "code"
HERE = Path(__file__).read_text(encoding="utf-8").split("\n")
# without types of parameters and results, which one kind of synthetic edit adds
PLAIN = [re.sub(r": [\w., \[\]]+(?=[,)])| -> \w+(?=:$)", "", line) for line in HERE]
LINES = st.lists(st.sampled_from(["", "", "a = b", "def f(a):", "    return a", "x", "\timport os"]), max_size=40)


def _moment(seed: int) -> EditMoment:
    """A moment in this file."""
    rng = Random(seed)
    while True:
        start = rng.randrange(len(HERE) - 40)
        region = Region("a.py", "python", HERE[start : start + rng.randint(30, 120)])
        moment = synthetic_moment(region, [], rng)
        if moment is not None and moment.lines and moment.history:
            return moment


def _layout(seed: int) -> tuple[EditMoment, Layout]:
    while True:
        moment = _moment(seed)
        layout = lay_out(moment, Random(seed))
        if layout is not None:
            return moment, layout
        seed += 100_000


def _ids(parts: tuple[Special | str, ...]) -> list[int]:
    """What serving makes of a prompt: each text between special tokens by itself."""
    found: list[int] = []
    for part in parts:
        own = TOKENIZER.token_to_id(part.token) if isinstance(part, Special) else None
        found += [own] if own is not None else TOKENIZER.encode(part, add_special_tokens=False).ids
    return found


@settings(max_examples=examples(200), deadline=None)
@given(lines=LINES)
def test_a_tag_is_stated_at_the_last_white_space_before_the_next_text(lines: list[str]) -> None:
    text = edit_format.scanned(lines)
    ends = dict(tag_ends(lines))
    assert sorted(ends) == [number for number, line in enumerate(lines) if line.strip()]
    for number, at in ends.items():
        before = 1 + sum(len(line) + 1 for line in lines[:number]) + len(lines[number].rstrip())
        assert text[before : at + 1].isspace()
        assert "\n" in text[before : at + 1]
        assert at + 1 == len(text) or not text[at + 1].isspace()


@settings(max_examples=examples(300), deadline=None)
@given(old=LINES, new=LINES)
def test_each_hunk_has_a_tag_at_a_line_with_text(old: list[str], new: list[str]) -> None:
    hunks = hunks_between(old, new)
    found = tags(old, [(hunk.start, hunk.stop) for hunk in hunks])
    assert all(tag is Tag.STAYS or line.strip() for line, tag in zip(old, found, strict=True))
    if any(line.strip() for line in old):
        assert any(tag is not Tag.STAYS for tag in found) == bool(hunks)
    for hunk in hunks:
        if any(line.strip() for line in old[hunk.start : hunk.stop]):
            assert all(found[n] is Tag.CHANGES for n in range(hunk.start, hunk.stop) if old[n].strip())
    for number, tag in enumerate(found):
        if tag is Tag.INSERTS:  # the window of the tagged line has the place of the insertion inside
            start, stop = window_of(old, number, number + 1)
            assert any(start < hunk.start <= stop for hunk in hunks)


@settings(max_examples=examples(300), deadline=None)
@given(seed=st.integers(0, 100_000))
def test_answers_follow_each_other_and_make_only_due_hunks(seed: int) -> None:
    moment, layout = _layout(seed)
    begin = next(at for at in range(len(moment.lines) + 1) if moment.lines[at : at + len(layout.lines)] == layout.lines)
    lines = layout.lines
    for question in layout.questions:
        assert question.lines == lines
        assert 0 <= question.start <= question.stop <= len(lines)
        lines = [*lines[: question.start], *question.new, *lines[question.stop :]]
    # the lines after all answers are those after some of the due hunks
    wanted = set(applied(moment.lines, sorted(moment.due)))
    assert set(lines) <= wanted | set(layout.lines)
    assert begin >= 0


@settings(max_examples=examples(200), deadline=None)
@given(old=LINES.filter(bool), new=LINES, seed=st.integers(0, 100_000))
def test_answers_make_whole_hunks(old: list[str], new: list[str], seed: int) -> None:
    rng = Random(seed)
    due = hunks_between(old, new)[:8]
    rng.shuffle(due)
    layout = lay_out(EditMoment("a.py", list(old), [], list(due)), rng)
    if layout is None:
        return
    assert layout.lines == old  # so few lines are scanned whole
    some = [[hunk for n, hunk in enumerate(due) if chosen >> n & 1] for chosen in range(2 ** len(due))]
    possible = [applied(old, sorted(hunks)) for hunks in some]
    lines = list(old)
    for question in layout.questions:
        assert question.lines == lines
        lines = [*lines[: question.start], *question.new, *lines[question.stop :]]
        assert lines in possible


@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 100_000))
def test_tokens_are_those_of_the_served_prompt(seed: int) -> None:
    moment, layout = _layout(seed)
    (marked,) = EditEncoder(TOKENIZER).encode([layout])
    if not marked:  # too long
        return
    tokens, parts = [each & TOKEN for each in marked], [Part(each >> SHIFT) for each in marked]
    served: list[int] = []
    kept = next(
        n
        for n in range(len(moment.history))
        if sum(len(_ids(edit_format.past(e))) for e in moment.history[n:]) <= HISTORY_TOKENS
    )
    served = _ids(edit_format.scan(layout.name, moment.history[kept:], layout.lines))
    assert len(marked) <= MOST_TOKENS
    assert tokens[: len(served)] == served
    stated = [part for part in parts if part >= Part.TAG_STAYS]
    assert [part.name.removeprefix("TAG_") for part in stated] == [
        layout.tags[number].name for number, _ in tag_ends(layout.lines)
    ]
    for question in layout.questions:
        old = question.lines[question.start : question.stop]
        asked = _ids(edit_format.question(question.lines, question.start, question.stop))
        answer = _ids(edit_format.answer(old, question.new))
        if len(served) + len(asked) + len(answer) > len(tokens):
            break
        own = parts[len(served) + len(asked) : len(served) + len(asked) + len(answer)]
        served += [*asked, *answer]
        assert set(own) <= {Part.COPIED, Part.WRITTEN}
        assert own[-1] is Part.WRITTEN
    assert tokens == served


@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 100_000))
def test_tags_stand_where_serving_reads_them(seed: int) -> None:
    moment, layout = _layout(seed)
    (marked,) = EditEncoder(TOKENIZER).encode([layout])
    served = Scene(layout.name, tuple(moment.history), tuple(layout.lines), 0, tuple(layout.lines), ())
    scan = PROMPTS.scan(served)
    if not marked or list(scan.tokens) != [each & TOKEN for each in marked[: len(scan.tokens)]]:
        assert not marked or sum(len(_ids(edit_format.past(edit))) for edit in moment.history) > HISTORY_TOKENS
        return
    stated = {at: Part(each >> SHIFT) for at, each in enumerate(marked) if each >> SHIFT >= Part.TAG_STAYS}
    assert stated == {at: Part["TAG_" + layout.tags[line].name] for line, at in scan.ends}


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS], ids=lambda kind: kind.__name__)
def test_each_kind_of_synthetic_edit_repeats_in_this_file(kind) -> None:  # type: ignore[no-untyped-def]
    found = 0
    for seed in range(60):
        rng = Random(seed)
        start = rng.randrange(len(PLAIN) - 60)
        region = Region("a.py", "python", PLAIN[start : start + 60])
        changes = kind(region, rng)
        if changes and len(changes) >= 2:
            found += 1
            assert all(0 <= number < 60 for number in changes)
            assert all("\n" not in line for lines in changes.values() for line in lines)
    assert found >= 3


@pytest.fixture
def data(tmp_path: Path) -> EditDataConfig:
    """Texts and releases made of files of code."""
    files = sorted((CODE / "train").rglob("*.py"))
    rows = []
    with CorpusWriter(tmp_path / TEXTS) as texts, CorpusWriter(tmp_path / RELEASES) as releases:
        for path in files:
            text = path.read_text(encoding="utf-8")
            texts.add("p", path.name, "python", text)
            old = text.replace("self", "this").split("\n")
            found = hunks_between(old, text.split("\n"))
            if found:
                releases.add("p", path.name, "python", "\n".join(old))
                rows.append(f'{{"pair": 0, "hunks": {_json(found)}}}')
    (tmp_path / RELEASES / HUNKS).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return EditDataConfig(tmp_path, BUNDLED, 2048, 1)


def _json(hunks: list) -> str:  # type: ignore[type-arg]
    import json

    return json.dumps([[hunk.start, hunk.stop, list(hunk.new)] for hunk in hunks])


@pytest.mark.slow
def test_rows_depend_only_on_data_seed_and_number(data: EditDataConfig) -> None:
    maker = data.maker()
    first = maker.chunk(3)
    maker.chunk(4)
    assert np.array_equal(first, maker.chunk(3))
    assert np.array_equal(first, data.maker().chunk(3))
    assert first.shape[1] == 2049
    assert not np.array_equal(first, maker.chunk(3 + maker.chunks_per_epoch))
    with RowStream(data, 3, 0) as stream:
        assert np.array_equal(next(iter(stream)), first)


def test_rows_have_edits_and_middles_in_the_agreed_shares(data: EditDataConfig) -> None:
    rows = data.maker().chunk(0)
    counts = {part: int((parts_of(rows) == part).sum()) for part in Part}
    edits = sum(counts[part] for part in Part if part >= Part.CONTEXT)
    assert 0.05 < 1 - edits / int((tokens_of(rows) != 0).sum()) < 0.25  # 16 % on the bundled data
    answers = [part for part in (Part.COPIED, Part.WRITTEN) if counts[part]]
    assert answers == [Part.COPIED, Part.WRITTEN]
    assert counts[Part.TAG_STAYS] > counts[Part.TAG_CHANGES] > counts[Part.TAG_INSERTS] > 0
    same = TOKENIZER.token_to_id(edit_format.SAME.token)
    end = TOKENIZER.token_to_id(edit_format.END.token)
    written = tokens_of(rows)[parts_of(rows) == Part.WRITTEN]
    stays = (written == same).sum() / ((written == same).sum() + (written == end).sum())
    assert 0.45 < stays < 0.75


@pytest.mark.slow
def test_middles_have_the_share_that_was_asked_for(data: EditDataConfig, tmp_path: Path) -> None:
    """How many rows a span fills depends on the corpus. So the ratio to edits is compared between two shares."""
    with CorpusWriter(tmp_path / "middles") as corpus:
        for path in sorted(CODE.rglob("*.py")):
            corpus.add("q", path.name, "python", path.read_text(encoding="utf-8"))

    def ratio(share: float) -> float:
        maker = replace(data, middles=tmp_path / "middles", middles_share=share).maker()
        parts = np.concatenate([parts_of(maker.chunk(number)) for number in range(2)])
        edits = (parts >= Part.CONTEXT).any(axis=1).mean()
        return float((1 - edits) / edits)

    assert ratio(0.4) / ratio(0.15) == pytest.approx((0.4 / 0.6) / (0.15 / 0.85), rel=0.15)


def test_middles_weigh_as_much_as_asked(data: EditDataConfig) -> None:
    special = SpecialIds.of(TOKENIZER)
    rows = data.maker().chunk(0)
    usual, lighter = goals_of(rows, special), goals_of(rows, special, middles=0.25)
    edits = usual.parts >= Part.CONTEXT
    assert np.array_equal(lighter.weights[edits], usual.weights[edits])
    assert np.array_equal(lighter.weights[~edits], usual.weights[~edits] / 4)
    assert (~edits).any()
