"""The base protocol's parser: whatever is between messages, and however it is cut up, no whole message is lost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tabspec_lsp.transport.frames import FrameParser, Garbage

values = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)
# What may get between: it must not hold a header itself, or it would be a message.
garbage = st.binary(max_size=200).filter(lambda data: b"ontent" not in data.lower())


def frame(value: Any) -> bytes:
    body = json.dumps(value).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def fed(data: bytes, sizes: list[int]) -> list[Any]:
    parser, found = FrameParser(), []
    while data:
        size = sizes.pop() if sizes else len(data)
        found += list(parser.feed(data[:size]))
        data = data[size:]
    return found


@given(st.lists(values, max_size=6), st.lists(st.integers(1, 30), max_size=60))
def test_messages_are_read_as_they_were_written(messages: list[Any], sizes: list[int]) -> None:
    assert fed(b"".join(map(frame, messages)), sizes) == messages


@given(st.lists(st.tuples(garbage, values), min_size=1, max_size=5), st.lists(st.integers(1, 30), max_size=60))
def test_garbage_between_messages_loses_no_message(parts: list[tuple[bytes, Any]], sizes: list[int]) -> None:
    found = fed(b"".join(junk + frame(value) for junk, value in parts), sizes)
    assert [one for one in found if not isinstance(one, Garbage)] == [value for _, value in parts]
    assert sum(isinstance(one, Garbage) for one in found) <= len(parts)


@given(st.integers(-40, 40).filter(bool), st.lists(st.integers(1, 30), max_size=20))
def test_a_wrong_length_loses_one_message_only(wrong: int, sizes: list[int]) -> None:
    body = json.dumps({"text": "x" * 60}).encode()
    bad = b"Content-Length: %d\r\n\r\n" % (len(body) + wrong) + body
    after = [{"after": number} for number in range(4)]
    found = fed(bad + b"".join(map(frame, after)), sizes)
    assert any(isinstance(one, Garbage) for one in found)
    assert [one for one in found if not isinstance(one, Garbage)] == after


def test_a_message_is_not_held_back_by_a_wrong_length_before_it() -> None:
    parser = FrameParser()
    assert list(parser.feed(b"Content-Length: 5000\r\n\r\n{}")) == []
    garbage, value = parser.feed(frame({"next": 1}))
    assert isinstance(garbage, Garbage)
    assert value == {"next": 1}


def test_other_header_fields_and_spellings_are_accepted() -> None:
    data = b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length:2\r\n\r\n{}"
    assert list(FrameParser().feed(data)) == [{}]


def test_a_message_that_is_too_long_is_not_waited_for() -> None:
    found = list(FrameParser(max_body=100).feed(b"Content-Length: 99999999999\r\n\r\n" + frame({"next": 1})))
    assert isinstance(found[0], Garbage)
    assert found[1:] == [{"next": 1}]


def test_endless_garbage_takes_no_memory() -> None:
    parser = FrameParser()
    found = [one for _ in range(1000) for one in parser.feed(b"\x00" * 1000)]
    assert len(found) == 1
    assert len(parser._buffer) < 10_000
    assert list(parser.feed(frame({"next": 1}))) == [{"next": 1}]
