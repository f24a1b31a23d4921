"""Detects which server answers at an address, and its model's properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from tabspec.errors import ModelError, ModelNotUsable, ModelUnavailable
from tabspec.models.address import Address
from tabspec.models.http.connection.failures import NoApi, key_refused
from tabspec.models.http.connection.wire import Wire
from tabspec.models.http.forms import format_of
from tabspec.models.messages import read_info
from tabspec.models.protocol import ModelInfo
from tabspec.prompt.fim import FORMATS, FimFormat
from tabspec.prompt.fim import detect as detect_format

# If a server does not report how many requests it runs at a time: one in the foreground, and one speculation.
USUAL_SLOTS = 2
# If a server does not report its model's context. Ollama's default (OLLAMA_CONTEXT_LENGTH), the shortest in use.
USUAL_CONTEXT = 4096
# The most that an address may set. If a server reports more, that is a mistake.
MOST_SLOTS = 1024
# Characters. The longest names of models are paths of files, and a file's name has at most 255.
LONGEST_NAME = 512


class ServerKind(StrEnum):
    """The programs that are recognized."""

    LLAMA_CPP = "llama.cpp"
    VLLM = "vLLM"
    OLLAMA = "Ollama"
    TABSPEC = "tabspec cluster"
    OTHER = "OpenAI-compatible"


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Properties of a server and its model.

    ``context`` in tokens, ``slots`` requests at a time, ``vocabulary`` tokens (0: unknown), ``build`` its version,
    ``format`` the name of its model's FIM format ("": not known), ``marks`` the ids of FIM marks (empty: not known),
    which end an answer. ``info`` is the whole `ModelInfo`, from `tabspec cluster` only.
    """

    kind: ServerKind
    model: str
    context: int = USUAL_CONTEXT
    slots: int = USUAL_SLOTS
    vocabulary: int = 0
    build: str = ""
    format: str = ""
    marks: frozenset[int] = frozenset()
    info: ModelInfo | None = None


async def detect(wire: Wire, address: Address) -> ServerInfo:
    """Ask the server what it is. Raises `ModelUnavailable` while it is starting, `NoApi` if there is no API at the
    address, `ModelError` if it refuses the key."""
    props = await _asked(wire, "/props")
    listed = await _asked(wire, "/v1/models")
    server = _llama_cpp(props or {}, listed or {}) or await _by_models(wire, listed or {}, address)
    if server is None:
        if not address.model and listed is None:
            raise NoApi(f"{wire.base} does not name its model at /v1/models", 404, "")
        if not address.model:
            raise ModelError(f"{wire.base} does not name its model; name it: {wire.base}#MODEL")
        server = ServerInfo(ServerKind.OTHER, address.model)
    server = replace(server, model=address.model or server.model)
    named = address.format or server.model
    form = format_of(named) or format_of(server.format)
    if server.kind is ServerKind.LLAMA_CPP:
        marks = await _marks(wire)
        by_marks = None if address.format else _by_marks(marks)
        if by_marks and (form is None or not {form.prefix, form.suffix} <= marks.keys()):
            form = by_marks  # the model's tokens decide, whatever its name is
        server = replace(server, marks=frozenset(marks.values()))
    server = replace(server, format=form.name if form else "")
    return replace(server, slots=address.slots) if address.slots > 0 else server


def _llama_cpp(props: dict[str, Any], listed: dict[str, Any]) -> ServerInfo | None:
    settings = props.get("default_generation_settings")
    if not isinstance(settings, dict):
        return None
    # model_alias is recent; all versions have the path
    name = _name(props.get("model_alias")) or _name(PurePosixPath(str(props.get("model_path", ""))).name)
    meta = _first(listed).get("meta")
    vocabulary = _number(meta.get("n_vocab")) if isinstance(meta, dict) else 0
    return ServerInfo(
        ServerKind.LLAMA_CPP,
        name or "llama.cpp",
        _number(settings.get("n_ctx")) or USUAL_CONTEXT,
        min(_number(props.get("total_slots")) or 1, MOST_SLOTS),
        vocabulary,
        _name(props.get("build_info")),
    )


async def _marks(wire: Wire) -> dict[str, int]:
    """The FIM marks that are tokens of llama.cpp's model, with their ids: it is asked to tokenize all marks."""
    marks = sorted({mark for form in FORMATS for mark in form.markers})
    asked = {"content": "\n".join(marks), "parse_special": True, "with_pieces": True}
    status, found = await wire.post("/tokenize", asked)
    listed = found.get("tokens") if status == 200 and isinstance(found, dict) else None
    items = [item for item in listed or () if isinstance(item, dict)]
    return {
        item["piece"]: item["id"]
        for item in items
        if isinstance(item.get("piece"), str) and item["piece"] in marks and isinstance(item.get("id"), int)
    }


def _by_marks(marks: Mapping[str, int]) -> FimFormat | None:
    try:
        return detect_format(marks)
    except ModelNotUsable:
        return None


async def _by_models(wire: Wire, listed: dict[str, Any], address: Address) -> ServerInfo | None:
    """vLLM and Ollama are recognized by ``owned_by``."""
    entry = _first(listed, address.model)
    if not entry:
        return None
    owner, name = str(entry.get("owned_by", "")), _name(entry.get("id"))
    if owner == "tabspec":
        return _ours(entry, name)
    if owner == "vllm":
        # It batches as many requests as fit: 4 is the load that one editor may cause.
        context = _number(entry.get("max_model_len")) or USUAL_CONTEXT
        # An alias (--served-model-name) has the model itself as its root, a LoRA adapter as its parent.
        families = (format_of(_name(entry.get(key))) for key in ("root", "parent"))
        family = next((form.name for form in families if form), "")
        return ServerInfo(ServerKind.VLLM, name, context, slots=4, format=family)
    if owner == "library" or "version" in (await _asked(wire, "/api/version") or {}):
        return ServerInfo(ServerKind.OLLAMA, name)
    return ServerInfo(ServerKind.OTHER, name) if name else None


def _ours(entry: dict[str, Any], name: str) -> ServerInfo:
    """Our own server (`tabspec.cluster`), which lists the whole `ModelInfo`."""
    listed = entry.get("tabspec")
    try:
        info = replace(read_info(listed["info"]), name=name)  # type: ignore[index]
        slots = min(int(listed["slots"]), MOST_SLOTS)  # type: ignore[index]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ModelError("the server reports to be tabspec, and lists no model: is it a newer version?") from None
    return ServerInfo(ServerKind.TABSPEC, name, info.context_tokens, max(slots, 1), build=info.fingerprint, info=info)


async def _asked(wire: Wire, path: str) -> dict[str, Any] | None:
    """The object at ``path``: None if the server has no such path, or a web page there; {} if it fails."""
    status, found = await wire.document(path)
    if status in (401, 403):
        raise key_refused(wire.base, wire.key, status)
    if status == 503:
        raise ModelUnavailable(f"{wire.base} is starting or busy (status 503)")
    if status in (404, 405) or (status == 200 and not isinstance(found, dict)):
        return None
    return found if status == 200 else {}


def _first(listed: dict[str, Any], wanted: str = "") -> dict[str, Any]:
    """The entry of /v1/models for ``wanted``, else the first."""
    entries = entries_of(listed)
    named = [item for item in entries if item.get("id") == wanted]
    return (named or entries or [{}])[0]


def entries_of(listed: Any) -> list[dict[str, Any]]:
    """The entries of /v1/models; none if it is something else."""
    data = listed.get("data") if isinstance(listed, dict) else None
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


def _name(value: Any) -> str:
    """A model's name; "" for one that cannot be shown in editors and terminals."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_NAME else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
