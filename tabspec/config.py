"""Settings of the engine: one dataclass, each field with its unit, default and range.

The language server's options, the command line and the table in the documentation are made from these fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from tabspec.errors import ConfigError


class Policy(StrEnum):
    """How far ahead of the user the engine asks the model."""

    NONE = "none"  # no completion cache: every request goes to the model
    CACHE = "cache"  # completion cache with type-through, no speculation
    DEPTH1 = "depth1"  # and one accept ahead, as llama.vim, llama.vscode and Copilot do
    CHAIN = "chain"  # and `depth` accepts ahead
    TREE = "tree"  # and a suggestion where the cursor rests; `tabspec replay` also asks for Enter and for single lines
    ADAPTIVE = "adaptive"  # of the chain, what is worth its cost, at the best moment


class DaemonMode(StrEnum):
    """Whether a program uses the daemon (`tabspec daemon`) instead of a worker process of its own."""

    AUTO = "auto"  # if one runs
    START = "start"  # always: it is started if none runs
    OFF = "off"


class EditModelName(StrEnum):
    """The values of `edit_model` beside the address of a server."""

    AUTO = "auto"  # the server's own in `model`, if it writes edits; with the bundled model, the bundled edit model
    OFF = "off"
    BUNDLED = "bundled"


class EditForm(StrEnum):
    """The format of the edits that a model on a server writes (docs/guide/servers.md)."""

    AUTO = "auto"  # by the model's name
    SWEEP = "sweep"
    ZETA = "zeta"
    ZETA2 = "zeta2"
    ZETA21 = "zeta2.1"
    MERCURY = "mercury"
    INSTINCT = "instinct"


def setting(default: Any, doc: str, low: float | None = None, high: float | None = None) -> Any:
    """A field with its documentation and, for numbers, its range (both ends included)."""
    return field(default=default, metadata={"doc": doc, "low": low, "high": high})


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of a `CompletionEngine`."""

    policy: Policy = setting(Policy.ADAPTIVE, "How much is asked ahead of the user.")
    # Four Tabs at a reading time of 150 ms each are 600 ms: more is rarely pressed in a row (recorded sessions).
    depth: int = setting(4, "How many accepts ahead the policies `chain`, `tree` and `adaptive` go at most.", 1, 16)
    # A second of waiting is worth forty of the processor's: on mains power, with the machine to oneself. There
    # `adaptive` has nearly all instant Tabs of `chain` for about half of its unused tokens, with fast models and slow
    # ones (docs/decisions/2026-11-29-bursts.md).
    economy: float = setting(
        0.025,
        "The cost of a second of unused speculation, in seconds of waiting: 0.025 on mains, 0.1 on battery or a shared "
        "GPU.",
        0,
        1,
    )
    max_lines: int = setting(1, "Lines that a suggestion may have.", 1, 64)
    # A line of code of 120 columns has about 36 tokens.
    max_tokens: int = setting(48, "Tokens that a suggestion may have.", 1, 1024)
    # Decoding ends there: little of what comes after such a token would be offered. With 0.3, half as many tokens again
    # are decoded for the same offers (docs/decisions/2026-11-29-likely-part.md).
    min_token_probability: float = setting(
        0.5, "A suggestion stops before a token that the model finds less likely than this.", 0, 1
    )
    # Chosen on recorded sessions. At 0.2, 11 % fewer suggestions are shown, for 3 % fewer characters by Tab. At 0.13,
    # 8 % more are shown, for 2 % more characters (docs/decisions/2026-11-29-recent-tokens.md).
    min_probability: float = setting(
        0.16,
        "Suggestions that the model finds less likely than this are not shown: the product of their tokens' "
        "probabilities.",
        0,
        1,
    )
    # As many as are read at a glance. Each takes as long as a request to the model.
    alternatives: int = setting(3, "Suggestions that are given when the user asks to choose.", 1, 10)
    # An hour of recorded editing has some 600 answers, in half a MiB.
    cache_bytes: int = setting(16 << 20, "Bytes that the completion cache may take.", 1024, 1 << 34)
    prefix_chars: int = setting(2300, "Characters before the cursor that the model sees.", 64, 1_000_000)
    suffix_chars: int = setting(640, "Characters after the cursor that the model sees.", 0, 1_000_000)
    related_chars: int = setting(
        0,
        "Characters of related code from open and imported files that the model is shown; 0: none.",
        0,
        100_000,
    )
    max_document_chars: int = setting(10_000_000, "Longer documents get no suggestions.", 0, 1 << 31)

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, checked(item, getattr(self, item.name)))

    @property
    def doubt(self) -> tuple[float | None, float | None]:
        """The least log-probability of a token, and of the first one, which no text may be less likely than; None for
        0."""
        least, first = (math.log(p) if p else None for p in (self.min_token_probability, self.min_probability))
        return least, first

    @property
    def speculation_depth(self) -> int:
        """How many accepts ahead the policy goes; 0 if it does not speculate."""
        return {Policy.NONE: 0, Policy.CACHE: 0, Policy.DEPTH1: 1}.get(self.policy, self.depth)

    def updated(self, values: Mapping[str, Any]) -> EngineConfig:
        """A copy with ``values`` set. Raises `ConfigError` for unknown names and values out of range."""
        unknown = sorted(set(values) - {item.name for item in fields(self)})
        if unknown:
            known = ", ".join(item.name for item in fields(self))
            raise ConfigError(f"unknown setting {unknown[0]!r}; known are: {known}")
        return replace(self, **values)


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def checked(item: Field[Any], value: Any) -> Any:
    """``value`` as the field's type. Raises `ConfigError` if it is of another type or out of range."""
    name, default = item.name, item.default
    if isinstance(default, StrEnum):
        try:
            return type(default)(value)
        except ValueError:
            allowed = ", ".join(type(default))
            raise ConfigError(f"setting {name}: {value!r} is not one of {allowed}") from None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, float) and number:
        value = float(value)
    if not isinstance(value, type(default)) or (isinstance(value, bool) and not isinstance(default, bool)):
        raise ConfigError(f"setting {name}: {value!r} is not {_KINDS[type(default)]}")
    low, high = item.metadata["low"], item.metadata["high"]
    if number and not ((low is None or low <= value) and (high is None or value <= high)):
        raise ConfigError(f"setting {name}: {value} lies outside {low} to {high}")
    return value
