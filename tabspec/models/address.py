"""The address by which a user names a server: ``http://host:port/v1?option=value#model-name``."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tabspec.errors import ModelNotUsable
from tabspec.prompt.fim import FORMATS

SCHEMES = ("http://", "https://")


class Api(StrEnum):
    """How the server is asked."""

    AUTO = "auto"  # as fits the server and its model
    COMPLETIONS = "completions"  # /v1/completions, with the prompt in the model's FIM format
    SUFFIX = "suffix"  # /v1/completions with prompt and suffix: the server applies its model's format
    INFILL = "infill"  # llama.cpp's /infill, which does that, too


class Switch(StrEnum):
    """An option that depends on the server, unless it is given."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and how to ask it. The fields after ``model`` are the options of the address.

    ``base`` has no ``/v1`` and no slash at its end. ``model`` is "" for the one that the server names first.
    ``format`` names a FIM format (`tabspec.prompt.fim`). ``tokenizer`` is a folder with the model's
    ``tokenizer.json``: prompts are sent as tokens then. ``exact`` decodes the line in progress under a constraint
    (docs/guide/servers.md). ``slots`` is how many requests may be in flight at a time (0: as many as the server
    reports, else 2). ``slot`` pins llama.cpp's slot (-1: its choice). ``priority`` marks speculative requests for
    servers that schedule by it. ``recall`` also sends the file's text around the window to `tabspec cluster`, for the
    n-gram cache; by default only on this machine.
    """

    base: str
    model: str = ""
    api: Api = Api.AUTO
    format: str = ""
    tokenizer: str = ""
    exact: Switch = Switch.AUTO
    slots: int = 0
    slot: int = -1
    priority: Switch = Switch.AUTO
    recall: Switch = Switch.AUTO


_OPTIONS = {item.name: item for item in fields(Address) if item.name not in ("base", "model")}


def is_address(name: str | None) -> bool:
    """Whether a model's name is the address of a server."""
    return name is not None and name.startswith(SCHEMES)


def parse_address(url: str) -> Address:
    """Raises `ModelNotUsable` if ``url`` is no address, holds a password, or has an unknown option."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ModelNotUsable(f"model {url}: no address ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelNotUsable(f"model {url}: no address; one looks like http://127.0.0.1:8080")
    if "@" in parts.netloc:
        # not repeated in the message, which is logged
        raise ModelNotUsable(
            "the model's address holds a password: leave it out, and set TABSPEC_API_KEY and TABSPEC_API_HOST"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = re.sub(r"/*(/v1)?/*(/(chat/)?completions)?/*$", "", parts.path)
    base = f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"
    options = dict(_option(base, name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    return Address(base, unquote(parts.fragment), **options)


def _option(base: str, name: str, value: str) -> tuple[str, Any]:
    if name not in _OPTIONS:
        raise ModelNotUsable(f"model {base}: unknown option {name!r}; known are: {', '.join(_OPTIONS)}")
    default = _OPTIONS[name].default
    if isinstance(default, StrEnum):
        kind = type(default)
        if value not in list(kind):
            raise ModelNotUsable(f"model {base}: {name} cannot be {value!r}; it is one of {', '.join(kind)}")
        return name, kind(value)
    if isinstance(default, int):
        if not value.removeprefix("-").isdecimal() or not -1 <= int(value) <= 1024:
            raise ModelNotUsable(f"model {base}: {name} cannot be {value!r}; it is a small number")
        return name, int(value)
    if name == "format" and value not in (known := [form.name for form in FORMATS]):
        raise ModelNotUsable(f"model {base}: unknown format {value!r}; known are: {', '.join(known)}")
    if name == "tokenizer" and not (Path(value) / "tokenizer.json").is_file():
        raise ModelNotUsable(f"model {base}: tokenizer={value} is no folder with a tokenizer.json in it")
    return name, value
