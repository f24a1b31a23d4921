"""When a process counts as silent and as hung, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tabspec.models.process import heartbeat
from tabspec.models.process.heartbeat import DEAD_TICKS, IDLE_S, LOADING_TICKS, SILENT_TICKS, TICK_S, Heartbeat
from tabspec.replay.clock import VirtualTimeLoop


class Peer:
    """The other process: answers each ping after ``delay`` seconds, unless it is stopped."""

    def __init__(self) -> None:
        self.stopped, self.delay, self.busy, self.loading = False, 0.001, True, False
        self.pings = 0
        self.changes: list[tuple[float, bool]] = []
        self.heartbeat = Heartbeat(self._ping, self._changed)

    def _ping(self) -> None:
        self.pings += 1
        if not self.stopped:
            self._loop().call_later(self.delay, self._pong)

    def _pong(self) -> None:
        if not self.stopped:
            self.heartbeat.received()

    def _changed(self, silent: bool) -> None:
        self.changes.append((self._loop().time(), silent))

    def watch(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.heartbeat.watch(lambda: self.busy, lambda: self.loading))

    @staticmethod
    def _loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()


def run(scenario: Callable[[Peer], object]) -> None:
    async def main() -> None:
        await scenario(Peer())  # type: ignore[misc]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


@pytest.mark.parametrize("stopped_at", [0.0, 0.1, 0.39, 1.0, 7.77])
def test_a_stopped_process_is_noticed_within_two_seconds_and_given_up_within_six(stopped_at: float) -> None:
    async def scenario(peer: Peer) -> None:
        watching = peer.watch()
        await asyncio.sleep(stopped_at)
        peer.stopped = True
        await watching
        gave_up = asyncio.get_running_loop().time() - stopped_at
        assert [silent for _, silent in peer.changes] == [True]
        assert peer.changes[0][0] - stopped_at < 2
        assert DEAD_TICKS * TICK_S - 0.01 <= gave_up < 6

    run(scenario)


def test_a_stopped_idle_process_is_noticed_at_the_next_request() -> None:
    async def scenario(peer: Peer) -> None:
        peer.busy = False
        watching = peer.watch()
        await asyncio.sleep(1)
        peer.stopped = peer.busy = True
        peer.heartbeat.expect()
        await watching
        assert peer.changes[0][0] - 1 < 2

    run(scenario)


def test_an_idle_process_is_pinged_rarely_and_still_given_up_within_ten_seconds() -> None:
    async def scenario(peer: Peer) -> None:
        peer.busy = False
        watching = peer.watch()
        await asyncio.sleep(60)
        assert peer.pings <= 60 / IDLE_S
        peer.stopped = True
        await watching
        assert asyncio.get_running_loop().time() - 60 < 10

    run(scenario)


def test_a_process_resumed_in_time_is_kept() -> None:
    async def scenario(peer: Peer) -> None:
        watching = peer.watch()
        await asyncio.sleep(1)
        peer.stopped = True
        await asyncio.sleep((SILENT_TICKS + 2) * TICK_S)
        assert peer.heartbeat.silent
        peer.stopped = False
        peer.heartbeat.received()  # the pings that it had not read are answered
        await asyncio.sleep(100)
        assert not watching.done() and not peer.heartbeat.silent
        assert [silent for _, silent in peer.changes] == [True, False]
        watching.cancel()

    run(scenario)


def test_a_slow_answer_within_two_ticks_is_not_silence() -> None:
    async def scenario(peer: Peer) -> None:
        peer.delay = TICK_S * (SILENT_TICKS - 0.5)
        watching = peer.watch()
        await asyncio.sleep(100)
        assert not peer.changes and not watching.done()
        watching.cancel()

    run(scenario)


def test_while_it_loads_it_has_more_time() -> None:
    async def scenario(peer: Peer) -> None:
        peer.loading = peer.stopped = True
        watching = peer.watch()
        await asyncio.sleep((LOADING_TICKS - 1) * TICK_S)
        assert not watching.done()
        await watching

    run(scenario)


def test_time_in_which_this_process_was_stopped_itself_does_not_count() -> None:
    async def scenario(peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        watching = peer.watch()
        await asyncio.sleep(1)
        loop._virtual += 3600  # nothing ran meanwhile, and what had arrived is read after the timer
        await asyncio.sleep(heartbeat.TICK_S * 5)
        assert not watching.done() and not peer.changes
        watching.cancel()

    run(scenario)
