"""The settings of a client: the engine's and the server's.

A wrong value is reported, and the default is used, so that a typing error does not turn suggestions off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from tabspec.config import DaemonMode, EditForm, EditModelName, EngineConfig, checked, setting
from tabspec.errors import ConfigError, ModelNotUsable


class CompletionMode(StrEnum):
    """Whether suggestions also appear in the completion menu."""

    AUTO = "auto"  # for clients without inline completion
    ALWAYS = "always"
    NEVER = "never"


class ShownMode(StrEnum):
    """When a suggestion counts as shown. Speculation starts then."""

    AUTO = "auto"  # when it is returned; after the client's first textDocument/didShowCompletion, as `told`
    RETURNED = "returned"
    TOLD = "told"  # when textDocument/didShowCompletion reports it


class NextEditMode(StrEnum):
    """Whether next edits are offered (docs/design/next-edit-protocol.md)."""

    AUTO = "auto"  # to clients that ask for them by a method of their own, and as code actions
    ON = "on"  # also as inline completions
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Settings of the language server itself."""

    enabled: bool = setting(True, "Whether there are suggestions.")
    model: str = setting(
        "",
        "The model, as for `--model`. Empty or `auto`: `bundled`, whose edits the larger model writes where "
        "tabspec-large is installed and fast enough.",
    )
    edit_model: str = setting(
        EditModelName.AUTO.value,
        "What writes next edits that no pattern proposes: `bundled` (a second bundled model, on this machine), the "
        "address of a server (`http://HOST:PORT`), or `off`. `auto`: with the bundled model `bundled`; with a server "
        "that server, if its model is one that writes edits.",
    )
    edit_format: EditForm = setting(EditForm.AUTO, "The format in which it writes edits; `auto`: by the model's name.")
    daemon: DaemonMode = setting(
        DaemonMode.AUTO,
        "Whether to use the daemon's model, which all editors share: `auto` if `tabspec daemon` runs, `start` always "
        "(it is started if needed), `off` never.",
    )
    # The bundled model takes about as long to load.
    patience: float = setting(2.0, "Seconds that a request waits for a loading model.", 0.0, 60.0)
    completion: CompletionMode = setting(
        CompletionMode.AUTO,
        "Whether the completion menu has suggestions: `auto` in editors without inline completion. Read at start only.",
    )
    shown: ShownMode = setting(
        ShownMode.AUTO,
        "When a suggestion counts as shown: `returned` with the response, `told` by `textDocument/didShowCompletion`, "
        "`auto` with the response until the client sends its first such notification.",
    )
    next_edits: NextEditMode = setting(
        NextEditMode.AUTO,
        "Whether next edits are offered: `auto` to clients that ask for them, and as code actions; `on` also as inline "
        "completions; `off` never.",
    )
    status_notifications: bool = setting(False, "Send `tabspec/statusChanged` (for status lines).")

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, checked(item, getattr(self, item.name)))
        if self.edit_model not in ("", *EditModelName):
            from tabspec.models.address import parse_address  # which is slow to import

            try:
                parse_address(self.edit_model)
            except ModelNotUsable as error:
                raise ConfigError(f"setting edit_model: {error}, or use {', '.join(EditModelName)}") from None


@dataclass(frozen=True, slots=True)
class Options:
    """All settings."""

    engine: EngineConfig = field(default_factory=EngineConfig)
    server: ServerOptions = field(default_factory=ServerOptions)

    def updated(self, values: object) -> tuple[Options, list[str]]:
        """A copy with ``values`` (an object, or None), and a line for each value that cannot be used.

        Names may be in camelCase. They may be in a section "tabspec", because clients send whole configurations. A null
        sets the default. Unknown names are left out; `unknown_names` lists them.
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


USER_ONLY = frozenset({"model", "edit_model", "edit_format"})
"""Settings that only the command line and the initialization options may set.

They decide where text and key are sent. Values of ``workspace/configuration`` and ``workspace/didChangeConfiguration``
may come from the opened folder instead of the user.
"""


def without_user_only(values: object) -> tuple[object, dict[str, Any]]:
    """``values`` without the settings of `USER_ONLY`, and those settings by name, except nulls."""
    section = _section(values)
    only = {snake_case(str(name)): value for name, value in section.items() if snake_case(str(name)) in USER_ONLY}
    if not only:
        return values, {}
    rest = {name: value for name, value in section.items() if snake_case(str(name)) not in USER_ONLY}
    # In a section again, because the rest may contain another section of that name.
    return {"tabspec": rest}, {name: value for name, value in only.items() if value is not None}


def all_fields() -> list[Field[Any]]:
    """The fields of all settings, the server's first."""
    return [*fields(ServerOptions), *fields(EngineConfig)]


def unknown_names(values: object) -> list[str]:
    """The names in ``values`` that are not settings."""
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
