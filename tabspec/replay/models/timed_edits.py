"""An edit model on the virtual clock: its answers are computed once, and take the time of a latency profile."""

from __future__ import annotations

import asyncio

from tabspec.models.edit_protocol import EditAnswer, EditModel, EditRequest, RegionSize
from tabspec.models.protocol import ModelInfo
from tabspec.replay.models.latency import LatencyProfile


class TimedEdits:
    """``model``, which answers one request at a time. An answer takes as long as its tokens do by ``profile``: in runs
    with several policies, and if it was answered before, as long as the first time."""

    slots = 1

    def __init__(self, model: EditModel, profile: LatencyProfile) -> None:
        self._model, self._profile = model, profile
        self._known: dict[EditRequest, EditAnswer] = {}

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    @property
    def region(self) -> RegionSize | None:
        return self._model.region

    @property
    def judges(self) -> bool:
        return self._model.judges

    async def edit(self, request: EditRequest) -> EditAnswer:
        answer = self._known.get(request)
        if answer is None:
            answer = self._known[request] = await self._model.edit(request)
        await asyncio.sleep(self._profile.seconds(answer.usage, first=True))
        return answer

    async def close(self) -> None:
        await self._model.close()
