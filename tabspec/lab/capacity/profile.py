"""The speed of a server: measured times of a decode step by batch size, and of prefill."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from tabspec.errors import InputError
from tabspec.replay.bounded import MAX_SMALL_BYTES
from tabspec.replay.models.latency import LatencyProfile
from tabspec.system.regular import read_regular
from tabspec.system.typed_json import JsonReader

FORMAT = "tabspec-service"
VERSION = 1
_READER = JsonReader(signed=())
FOLDER = Path(__file__).parent / "profiles"
"""The profiles that ship in the package, by name."""

# Prompt tokens that a server computes in one step together with decoding. More would delay the decoding requests for
# long. It equals vLLM's default for chunked prefill (max_num_batched_tokens, 2,048).
PREFILL_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class ServiceProfile:
    """A step that decodes one token for each of b sequences, and computes p prompt tokens, takes

    step(b) + p · ``prefill_ms_per_token`` (+ ``prefill_fixed_ms`` if p > 0) milliseconds,

    with step(b) linear between the measured points ``step_ms`` (batch size, milliseconds), which ascend. The largest
    of them is the most that a server runs at a time. ``kv_tokens``: positions whose keys and values fit into its
    memory; beyond that, the prompts of the least recently served users are evicted. ``beside``: speculations are
    decoded in the same steps as foreground requests, as by vLLM; else they pause meanwhile, as in `tabspec cluster`.
    """

    step_ms: tuple[tuple[int, float], ...]
    prefill_ms_per_token: float
    prefill_fixed_ms: float = 0.0
    kv_tokens: int = 0
    model: str = ""
    machine: str = ""
    beside: bool = False

    @property
    def most_batch(self) -> int:
        return self.step_ms[-1][0]

    def step_s(self, batch: int, prefill: int = 0) -> float:
        """Seconds of one step; 0 if the step is empty. ``batch`` is at most `most_batch`."""
        ms = self._decode_ms(batch) if batch else 0.0
        if prefill:
            ms += self.prefill_fixed_ms + prefill * self.prefill_ms_per_token
        return ms / 1000

    def _decode_ms(self, batch: int) -> float:
        right = bisect_left(self.step_ms, (batch, 0.0))
        size, ms = self.step_ms[right]
        if right == 0 or size == batch:  # smaller batches than were measured take as long as the smallest
            return ms
        before, ms_before = self.step_ms[right - 1]
        return ms_before + (ms - ms_before) * (batch - before) / (size - before)

    @classmethod
    def alone(cls, profile: LatencyProfile, kv_tokens: int = 0) -> ServiceProfile:
        """A server that runs one request at a time, with a replay's service times."""
        return cls(
            ((1, profile.decode_ms_per_token),),
            profile.prefill_ms_per_token,
            profile.prefill_fixed_ms,
            kv_tokens,
            profile.model,
            profile.machine,
        )


def shipped() -> list[str]:
    """Names of the profiles in the package."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read_service(name: str) -> ServiceProfile:
    """The profile called ``name`` in the package, or else in the file ``name``. Raises `InputError` with one line."""
    path = FOLDER / f"{name}.json" if name in shipped() else Path(name)
    try:
        item = json.loads(read_regular(path, MAX_SMALL_BYTES))
    except OSError as error:
        known = ", ".join(shipped())
        raise InputError(
            f"service {name}: cannot be read ({error.strerror or error}); give a file, or one of {known}"
        ) from None
    except (ValueError, RecursionError):
        raise InputError(f"service {name}: not JSON") from None
    if not isinstance(item, dict) or item.get("format") != FORMAT or item.get("version") != VERSION:
        raise InputError(f'service {name}: "format" must be "{FORMAT}", and "version" {VERSION}')
    try:
        profile: ServiceProfile = _READER.read(item, ServiceProfile, f"service {name}")
    except ValueError as error:
        raise InputError(str(error)) from None
    sizes = [size for size, _ in profile.step_ms]
    if not sizes or sizes != sorted(set(sizes)) or sizes[0] < 1:
        raise InputError(
            f"service {name}.step_ms: must be a list of [batch size, milliseconds], with ascending whole sizes from 1"
        )
    return profile
