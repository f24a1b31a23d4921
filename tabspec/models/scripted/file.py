"""Reads a scripted model from a file, to test plugins without a model: ``--model scripted:FILE``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tabspec.errors import ModelError, ModelNotUsable
from tabspec.models.protocol import GenerationRequest
from tabspec.models.scripted.model import Script, ScriptedModel, WithOthers, continuing, letters, pseudo_random

SCHEME = "scripted:"

_NUMBERS = {"load_s": 0.0, "prefill_s": 0.0, "token_s": 0.0, "token_chars": 4, "fail_after": 0}


def read_script(path: Path) -> tuple[ScriptedModel, float]:
    """The model that the JSON object in ``path`` describes, and for how many seconds it is to "load".

    One of ``"target"`` (the text that the user is writing: the answer is what comes next in it), ``"answers"`` (from
    the text before the cursor, as far as the window shows it, to the answer) and ``"any": true`` (some answer to
    everything); and, each optional, ``"others"`` (from the text before the cursor to a list of what else may come
    there; not together with "any", which has others of its own), ``load_s``, ``prefill_s`` and ``token_s`` (seconds),
    ``token_chars``, ``fail`` (a message: the model fails with it) and ``fail_after`` (tokens). Raises `ModelNotUsable`.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelNotUsable(f"scripted model {path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise ModelNotUsable(f"scripted model {path}: not JSON ({error})") from None
    if not isinstance(data, dict):
        raise ModelNotUsable(f"scripted model {path}: must be a JSON object")
    script = _script(data, path)
    numbers = {name: data.pop(name, default) for name, default in _NUMBERS.items()}
    others = data.pop("others", None)
    fail = data.pop("fail", None)
    if data:
        raise ModelNotUsable(f"scripted model {path}: unknown field {sorted(data)[0]!r}")
    for name, value in numbers.items():
        kind = type(_NUMBERS[name])
        if isinstance(value, bool) or not isinstance(value, int | kind) or value < (1 if name == "token_chars" else 0):
            raise ModelNotUsable(f"scripted model {path}: {name} cannot be {value!r}")
    load = float(numbers.pop("load_s"))
    script, begin = _with_others(script, others, numbers["token_chars"], path)
    model = ScriptedModel(script, **numbers, fail=None if fail is None else ModelError(str(fail)), beginnings=begin)
    return model, load


Beginnings = Callable[[GenerationRequest], Sequence[str]]


def _with_others(script: Script, others: Any, token_chars: int, path: Path) -> tuple[Script, Beginnings | None]:
    if others is None:
        return script, letters() if script is _ANY else None
    lists = others.values() if isinstance(others, dict) else [None]
    if not all(isinstance(texts, list) and all(isinstance(text, str) and text for text in texts) for texts in lists):
        raise ModelNotUsable(f"scripted model {path}: 'others' has the wrong type")
    known = WithOthers(script, others, token_chars)
    return known, known.beginnings


_ANY = pseudo_random()


def _script(data: dict[str, Any], path: Path) -> Script:
    given = [name for name in ("target", "answers", "any") if name in data]
    if len(given) != 1:
        raise ModelNotUsable(f"scripted model {path}: give one of 'target', 'answers' and 'any'")
    value = data.pop(given[0])
    if given[0] == "target" and isinstance(value, str):
        return continuing(value)
    if given[0] == "answers" and isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return lambda request: str(value.get(request.prefix, ""))
    if given[0] == "any" and value is True:
        return _ANY
    raise ModelNotUsable(f"scripted model {path}: {given[0]!r} has the wrong type")
