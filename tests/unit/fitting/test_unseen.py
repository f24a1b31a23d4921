"""Characters that cannot be seen, or reorder what is read, are in no suggestion."""

from __future__ import annotations

import sys
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.fitting.early_stop import Around
from tabspec.fitting.postprocess import postprocess
from tabspec.fitting.truncation import FitPlace, FitStep
from tabspec.fitting.unseen import cut_unseen, unseen
from tabspec.models.scripted.model import ScriptedModel
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.text import Document


def invisible(char: str) -> bool:
    """By Unicode's own categories and names, which the code does not read."""
    category, name = unicodedata.category(char), unicodedata.name(char, "")
    if category in ("Cc", "Zl", "Zp", "Cs"):
        return char not in "\t\n\r"
    if category == "Cf":  # format characters: but for signs that span figures, and the layout of hieroglyphs
        seen = ("NUMBER", "SIGN", "MARKER", "MARK ABOVE", "END OF AYAH", "ABBREVIATION", "EGYPTIAN", "DISPUTED")
        return name.startswith("TAG ") or not any(word in name for word in seen)
    joiners = ("COMBINING GRAPHEME JOINER", "KHMER VOWEL INHERENT AQ", "KHMER VOWEL INHERENT AA")
    return "VARIATION SELECTOR" in name or ("HANGUL" in name and "FILLER" in name) or name in joiners


def test_every_character() -> None:
    wrong = [
        f"{code:04X} {unicodedata.name(chr(code), '')}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) != "Cn" and (unseen(chr(code)) is not None) != invisible(chr(code))
    ]
    assert wrong == []


@pytest.mark.parametrize("char", "\x00\x1b\x7f\x85\x9b\u200b\u200d\u202e\u2066\u2028\ufeff\u3164\ufe0f\U000e0041\ud800")
def test_the_known_ones(char: str) -> None:
    assert cut_unseen(f"safe = 1  # {char}hidden") == "safe = 1  # "


@pytest.mark.parametrize("text", ["\tx = 'é中文😀🇩🇪ع'\n\ty\n", "\ue0b0", "\ufffd", "naïve e\u0301"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert cut_unseen(text) == text


TEXTS = st.lists(
    st.sampled_from(["a", "b = 1", " ", "\n", "\r\n", "\r", "    c", "é", ")", "\u202e", "\x1b[2J", "\u200b", "\ud800"])
).map("".join)
BEFORE = st.sampled_from(["", "x = ", "if a:\n    ", "if a:\r\n    ", "a\rb"])
BEHIND = st.sampled_from(["", ")", "\n\ny = 2\n", "\r\ny"])


@given(TEXTS)
def test_it_is_the_longest_beginning_without_one(text: str) -> None:
    kept = cut_unseen(text)
    assert text.startswith(kept)
    assert not any(map(invisible, kept))
    assert kept == text or invisible(text[len(kept)])


@given(TEXTS, st.integers(0, 40))
def test_a_model_stops_with_the_first_one(text: str, size: int) -> None:
    """Known from the text up to it, as soon as it is written, and whatever was looked at before."""
    near = Around(repetition=False, indentation=False)
    end = near.cut_point(text)
    assert end == unseen(text)
    assert near.cut_point(text[:size]) == (end if end is not None and end <= size else None)
    assert end is None or near.cut_point(text, min(size, end - 1)) == end


@given(BEFORE, BEHIND, TEXTS, st.sets(st.sampled_from(list(FitStep))))
def test_nothing_that_is_offered_holds_one(before: str, behind: str, text: str, steps: set[FitStep]) -> None:
    context = EditContext(Document("file:///a.py", before + behind, "python"), len(before))
    crlf = "\r\n" in before + behind
    ends = tuple(range(1, len(text) + 1))
    generated = GeneratedText(text, Finish.END, ends, (-0.1,) * len(ends))
    offered = postprocess(context, generated, steps)
    if isinstance(offered, Suggestion):
        shown = offered.text.replace("\r\n", "\n") if crlf else offered.text
        assert not any(char == "\r" or invisible(char) for char in shown)
        # stopped there, the model would have been offered the same
        end = FitPlace(context, steps).cut_point(text)
        if end is not None:
            stopped = replace(generated.stopped_at(end), finish=Finish.STOP)
            again = postprocess(context, stopped, steps)
            assert isinstance(again, Suggestion) and again.text == offered.text


@pytest.mark.parametrize("policy", list(Policy))
async def test_the_engine_offers_the_part_before_it(policy: Policy) -> None:
    model = ScriptedModel({"x = ": "safe_name(\u202e) # evil"})
    engine = CompletionEngine(model, EngineConfig(policy=policy))
    answer = await engine.complete(EditContext(Document("file:///a.py", "x = ", "python"), 4))
    assert answer.suggestion and answer.suggestion.text == "safe_name"
    await engine.close()
