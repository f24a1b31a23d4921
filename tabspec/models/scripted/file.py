"""Reads a scripted model from a file, to test plugins without a model: ``--model scripted:FILE``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tabspec.errors import ModelError, ModelNotUsable
from tabspec.models.scripted.model import ScriptedModel, WithOthers, continuing, letters, pseudo_random
from tabspec.system.typed_json import JsonReader

SCHEME = "scripted:"


@dataclass(frozen=True, slots=True)
class ScriptFile:
    """What a file says. One of these decides the answers: ``target`` (the text that the user is writing: the answer is
    what comes next in it), ``answers`` (from the text before the cursor, as far as the window shows it, to the answer)
    and ``any`` (some answer to everything).

    ``others``: from the text before the cursor to a list of what else may come there (``any`` has others of its own).
    ``load_s``, ``prefill_s`` and ``token_s`` are seconds, ``token_chars`` the characters of a token. With the message
    ``fail``, the model fails after ``fail_after`` tokens.
    """

    target: str | None = None
    answers: dict[str, str] | None = None
    any: bool = False
    others: dict[str, tuple[str, ...]] | None = None
    load_s: float = 0.0
    prefill_s: float = 0.0
    token_s: float = 0.0
    token_chars: int = 4
    fail: str | None = None
    fail_after: int = 0


def read_script(path: Path) -> tuple[ScriptedModel, float]:
    """The model that the JSON object in ``path`` describes, and for how many seconds it is to "load". Raises
    `ModelNotUsable`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelNotUsable(f"scripted model {path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise ModelNotUsable(f"scripted model {path}: not JSON ({error})") from None
    try:
        given: ScriptFile = JsonReader(strict=True, signed=()).read(data, ScriptFile, "script")
    except ValueError as error:
        raise ModelNotUsable(f"scripted model {path}: {error}") from None
    if (given.target is not None) + (given.answers is not None) + given.any != 1:
        raise ModelNotUsable(f"scripted model {path}: give one of 'target', 'answers' and 'any'")
    if given.token_chars < 1:
        raise ModelNotUsable(f"scripted model {path}: token_chars cannot be {given.token_chars}")
    answers = given.answers or {}
    script = pseudo_random() if given.any else lambda request: answers.get(request.prefix, "")
    if given.target is not None:
        script = continuing(given.target)
    begin = letters() if given.any else None
    if given.others is not None:
        script = known = WithOthers(script, given.others, given.token_chars)
        begin = known.beginnings
    fail = None if given.fail is None else ModelError(given.fail)
    times = given.prefill_s, given.token_s, given.token_chars
    return ScriptedModel(script, *times, fail=fail, fail_after=given.fail_after, beginnings=begin), given.load_s
