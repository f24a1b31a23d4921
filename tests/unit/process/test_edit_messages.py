"""Requests for edits on the wire: each field is checked where it arrives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tabspec.models.edit_protocol import EditAnswer, EditRequest, chunk_of
from tabspec.models.messages import asked_in, chunk_fields, from_line, read_chunk, request_fields, request_line
from tabspec.models.protocol import GenerationRequest, Usage
from tabspec.text import difference
from tests.edit_requests import NEW, REQUEST


@pytest.mark.parametrize(
    "request_", [REQUEST, replace(REQUEST, history=(), related=(), foreground=False), GenerationRequest("a", "b", "c")]
)
def test_a_request_survives_the_wire(request_: EditRequest | GenerationRequest) -> None:
    assert asked_in(from_line(request_line(7, request_))) == request_


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("region", 5),
        ("region", None),
        ("cursor", "3"),
        ("cursor", 10**6),
        ("cursor", -1),
        ("line", True),
        ("foreground", 1),
        ("history", {}),
        ("history", [3]),
        ("history", [{"path": "a"}]),
        ("history", [{"path": "a", "line": 0, "old": "", "new": "", "accepted": 1}]),
        ("related", [{"path": "a"}]),
        ("beyond", ["a"]),
        ("beyond", [1, 2]),
        ("beyond", None),
        ("other", 1),
    ],
)
def test_wrong_types_are_refused_by_the_name_of_the_field(place: str, value: Any) -> None:
    fields = {**json.loads(json.dumps(request_fields(REQUEST))), place: value}
    with pytest.raises(ValueError, match=place):
        asked_in({"op": "edit", "request": fields})


@pytest.mark.parametrize("value", [None, [], "text", {}])
def test_what_is_no_request_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        asked_in({"op": "edit", "request": value})


@pytest.mark.parametrize("new", [NEW, REQUEST.region, ""])
def test_an_answer_survives_the_wire(new: str) -> None:
    answer = EditAnswer(difference(REQUEST.region, new), (-0.5, -0.25), Usage(3, 2, 1), 0.75)
    chunk = read_chunk(json.loads(json.dumps(chunk_fields(chunk_of(answer, REQUEST.region)))))
    assert (chunk.text, chunk.logprobs, chunk.usage, chunk.probability) == (new, (-0.5, -0.25), Usage(3, 2, 1), 0.75)
    assert chunk.finish is not None
