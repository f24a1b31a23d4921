"""The base protocol's parser under hostile streams: recursion, memory and time are bounded."""

from __future__ import annotations

import sys

import pytest
from tabspec_lsp.transport import frames
from tabspec_lsp.transport.frames import FrameParser, Garbage

GOOD = b'Content-Length: 12\r\n\r\n{"next": 1}\n'


def test_repeated_bad_frames_are_one_stretch_of_garbage() -> None:
    for bad in (
        b"Content-Length: 5\r\n\r\n" * 600,
        b"Content-Length: 2\r\n\r\n]]" * 100_000,
        b"Content-Length: 999999999999\r\n\r\n" * 10_000,
        b"x\r\nContent-Length: 1\r\n\r\n" * 10_000,
    ):
        assert len(bad) > sys.getrecursionlimit()
        found = list(FrameParser().feed(bad + GOOD))
        assert [type(one) for one in found] == [Garbage, dict], bad[:40]


def test_overlapping_headers_are_read_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    value_of = frames._value

    def counted(body: bytes) -> object:
        nonlocal read
        read += len(body)
        return value_of(body)

    monkeypatch.setattr(frames, "_value", counted)
    bad = b'Content-Length: 500000\r\n\r\n{"' * 40_000
    found = list(FrameParser().feed(bad))
    assert [type(one) for one in found] == [Garbage]
    assert read < len(bad) + frames._MOST_WASTED + 500_000, "and not 20 GB"


def test_the_limit_may_be_raised_between_two_messages() -> None:
    parser = FrameParser(max_body=20)
    large = b'Content-Length: 40\r\n\r\n{"large": "%s"}' % (b"x" * 27)
    refused, value = parser.feed(large + GOOD)
    assert isinstance(refused, Garbage) and value == {"next": 1}
    parser.max_body = 100
    assert list(parser.feed(large)) == [{"large": "x" * 27}]


def test_a_body_that_was_refused_by_its_header_is_not_kept() -> None:
    parser = FrameParser(max_body=1000)
    list(parser.feed(b"Content-Length: 100000000\r\n\r\n"))
    for _ in range(200):
        list(parser.feed(b"x" * 65536))
        assert len(parser._buffer) < 10_000
    assert list(parser.feed(GOOD)) == [{"next": 1}]
