"""Lines of JSON as they arrive: however they are cut up, no message is lost, and none that is too long is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.fitting.early_stop import Around
from tabspec.models.messages import from_line, read_request, request_fields, to_line
from tabspec.models.process.lines import MessageParser, Unreadable
from tabspec.models.protocol import GenerationRequest, RelatedText, StopRule

LIMIT = 40
lines = st.one_of(
    st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")),
    st.dictionaries(st.sampled_from(["op", "id"]), st.text(max_size=30)).map(lambda value: json.dumps(value).encode()),
)


def expected(line: bytes) -> Any:
    """Of one whole line."""
    if len(line) > LIMIT:
        return Unreadable
    try:
        return from_line(line)
    except ValueError:
        return Unreadable


@given(st.lists(lines, max_size=8), st.lists(st.integers(1, 30), max_size=60))
def test_each_line_is_a_message_or_unreadable(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(part + b"\n" for part in parts)
    parser, found = MessageParser(LIMIT), []
    while data:
        size = sizes.pop() if sizes else len(data)
        found += list(parser.feed(data[:size]))
        data = data[size:]
    assert [Unreadable if isinstance(one, Unreadable) else one for one in found] == [expected(part) for part in parts]


def test_an_endless_line_takes_no_memory() -> None:
    parser = MessageParser(1000)
    for _ in range(1000):
        assert list(parser.feed(b"x" * 1000)) == []
        assert len(parser._line) <= 1000
    assert [type(one) for one in parser.feed(b'\n{"op":"a"}\n')] == [Unreadable, dict]


def test_deep_nesting_is_unreadable() -> None:
    (found,) = MessageParser().feed(b"[" * 100_000 + b"\n")
    assert isinstance(found, Unreadable)


REQUEST = GenerationRequest(
    "head", "forced", "suffix", "a.py", "python", (RelatedText("b.py", "text"),), stop=StopRule(around=Around("a", "b"))
)


def test_a_request_is_read_as_it_was_written() -> None:
    for request in (REQUEST, replace(REQUEST, related=(), stop=StopRule(min_logprob=-3.0))):
        assert read_request(from_line(to_line("request", request=request_fields(request)))["request"]) == request


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("head", 5),
        ("head", None),
        ("foreground", 1),
        ("beginnings", True),
        ("beginnings", "2"),
        ("related", {}),
        ("related", [3]),
        ("related", [{"path": "a"}]),
        ("stop", None),
        ("stop", {"max_lines": "many"}),
        ("stop", {"max_tokens": True}),
        ("stop", {"around": []}),
        ("other", 1),
    ],
)
def test_a_request_of_wrong_types_is_refused_by_the_name_of_the_field(place: str, value: Any) -> None:
    with pytest.raises(ValueError, match=place):
        read_request({**json.loads(json.dumps(request_fields(REQUEST))), place: value})


def test_an_invalid_request_is_refused() -> None:
    for value in (None, [], "text", {}):
        with pytest.raises(ValueError):
            read_request(value)
