"""An edit model that answers from a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tabspec.models.edit_protocol import EditAnswer, EditRequest, RegionSize
from tabspec.models.protocol import ModelInfo, Usage
from tabspec.text import difference

REGION = RegionSize(10, 10)
Rewrite = Callable[[EditRequest], str]
"""Returns the region's new text; the same text where nothing changes."""


@dataclass
class ScriptedEditModel:
    """Rewrites regions as ``script`` does. An answer takes ``seconds`` on the running loop's clock.

    ``logprob`` is that of the only token of each answer (None: unknown). ``fail`` is raised, if set. The counters are
    for tests. ``judges``: patterns are left to it.
    """

    script: Rewrite
    seconds: float = 0.0
    logprob: float | None = -0.1
    fail: Exception | None = None
    name: str = "scripted-edits"
    region: RegionSize | None = REGION
    judges: bool = False
    requests: list[EditRequest] = field(default_factory=list)
    running: int = 0
    cancelled: int = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.name, self.name, context_tokens=1 << 20)

    async def edit(self, request: EditRequest) -> EditAnswer:
        self.requests.append(request)
        self.running += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if self.fail is not None:
            raise self.fail
        change = difference(request.region, self.script(request))
        return EditAnswer(change, () if self.logprob is None else (self.logprob,), Usage(prefill=1, decoded=1))

    async def close(self) -> None:
        return None
