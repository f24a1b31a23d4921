"""What a client can set: the engine's settings and the server's own, under one roof.

A wrong value is reported and the default used: an editor must not lose its completions to a typing error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from tabspec.config import DaemonMode, EngineConfig, checked, setting
from tabspec.errors import ConfigError


class CompletionMode(StrEnum):
    """Whether suggestions are offered in the completion menu, too."""

    AUTO = "auto"  # to clients that cannot show them inline
    ALWAYS = "always"
    NEVER = "never"


class ShownMode(StrEnum):
    """When a suggestion counts as shown, which is when the next ones are asked for."""

    AUTO = "auto"  # when it is returned, until the client has sent its first textDocument/didShowCompletion
    RETURNED = "returned"
    TOLD = "told"  # only by textDocument/didShowCompletion


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Settings of the language server itself."""

    enabled: bool = setting(True, "Whether anything is suggested.")
    model: str = setting("", "The model, as for `--model`; empty: the one that comes with tabspec.")
    daemon: DaemonMode = setting(
        DaemonMode.AUTO,
        "One model for all editors: the daemon's where `tabspec daemon` runs (`auto`), and it is started where it does "
        "not (`start`); `off`: a process of this editor's own.",
    )
    # Loading the bundled model takes about as long; people give up on a completion sooner than they would on a page.
    patience: float = setting(2.0, "Seconds that a request waits for a model that is still loading.", 0.0, 60.0)
    completion: CompletionMode = setting(
        CompletionMode.AUTO,
        "Offer suggestions in the completion menu: `auto` where the editor has no inline ones. Read at start only.",
    )
    shown: ShownMode = setting(
        ShownMode.AUTO,
        "When a suggestion counts as shown: when `returned`, or when `told` by `textDocument/didShowCompletion`; "
        "`auto`: returned, until the client tells for the first time.",
    )
    status_notifications: bool = setting(False, "Send `tabspec/statusChanged` (for status lines).")

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, checked(item, getattr(self, item.name)))


@dataclass(frozen=True, slots=True)
class Options:
    """All settings."""

    engine: EngineConfig = field(default_factory=EngineConfig)
    server: ServerOptions = field(default_factory=ServerOptions)

    def updated(self, values: object) -> tuple[Options, list[str]]:
        """A copy with ``values`` set (an object; ``null`` is none), and a line for each value that cannot be used.

        Names may be written in camelCase, too. They may stand in a section "tabspec", as clients send whole
        configurations. Names that are not known are left out: `unknown_names` lists them.
        """
        if values is not None and not isinstance(values, Mapping):
            return self, [f"the settings must be an object, not {type(values).__name__}"]
        options, problems = self, []
        for name, value in _section(values).items():
            try:
                options = options._with(snake_case(str(name)), value)
            except ConfigError as error:
                problems.append(str(error))
        return options, problems

    def _with(self, name: str, value: object) -> Options:
        for part in ("engine", "server"):
            group = getattr(self, part)
            if name in {item.name for item in fields(group)}:
                default = next(item.default for item in fields(group) if item.name == name)
                return replace(self, **{part: replace(group, **{name: default if value is None else value})})
        return self


USER_ONLY = frozenset({"model"})
"""Settings that only the user's own channels may set: the command line and the initialization options.

``workspace/configuration`` and ``workspace/didChangeConfiguration`` do not report whether a value is the user's or the
opened folder's, and these settings choose where text and key go.
"""


def without_user_only(values: object) -> tuple[object, dict[str, Any]]:
    """``values`` without the settings of `USER_ONLY`, and those settings by name (``null`` is none)."""
    section = _section(values)
    only = {snake_case(str(name)): value for name, value in section.items() if snake_case(str(name)) in USER_ONLY}
    if not only:
        return values, {}
    rest = {name: value for name, value in section.items() if snake_case(str(name)) not in USER_ONLY}
    # In a section of its own again: what is left may hold another one.
    return {"tabspec": rest}, {name: value for name, value in only.items() if value is not None}


def all_fields() -> list[Field[Any]]:
    """The fields of all settings, the server's first."""
    return [*fields(ServerOptions), *fields(EngineConfig)]


def unknown_names(values: object) -> list[str]:
    """The names in ``values`` that are those of no setting."""
    known = {item.name for item in all_fields()}
    return [str(name) for name in _section(values) if snake_case(str(name)) not in known]


def _section(values: object) -> Mapping[Any, Any]:
    """The section "tabspec" of ``values`` if there is one, else all of it, if it is an object."""
    if not isinstance(values, Mapping):
        return {}
    inner = values.get("tabspec")
    return inner if isinstance(inner, Mapping) else values


def snake_case(name: str) -> str:
    """maxLines -> max_lines."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: "_" + match.group(), name).lower()
