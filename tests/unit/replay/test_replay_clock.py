"""The virtual clock: time jumps, order is that of the timers, deadlocks are noticed."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.replay.clock import DeadlockError, VirtualTimeLoop, outside_work, run_virtual


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_virtual_hour_takes_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return now()

    started = time.monotonic()
    assert run_virtual(main()) == 3600.0
    assert time.monotonic() - started < 60


def test_longer_than_one_wait_of_asyncio() -> None:
    # asyncio waits for a day at most in one go
    async def main() -> float:
        await asyncio.sleep(3 * 24 * 3600)
        return now()

    assert run_virtual(main()) == pytest.approx(3 * 24 * 3600)


@given(st.lists(st.integers(0, 50), max_size=12))
def test_tasks_wake_in_the_order_of_their_timers(delays: list[int]) -> None:
    def play() -> list[tuple[float, int]]:
        woken: list[tuple[float, int]] = []

        async def sleeper(number: int) -> None:
            await asyncio.sleep(delays[number] / 10)
            woken.append((now(), number))

        async def main() -> None:
            await asyncio.gather(*(sleeper(number) for number in range(len(delays))))

        run_virtual(main())
        return woken

    woken = play()
    assert [t for t, _ in woken] == pytest.approx(sorted(delay / 10 for delay in delays))
    assert all(t == pytest.approx(delays[number] / 10) for t, number in woken)
    assert play() == woken  # to the bit: also in the order of equal timers


def test_timeouts_follow_the_virtual_clock() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(9), 1)
        return now()

    assert run_virtual(main()) == 3.5


def test_computing_takes_no_time() -> None:
    async def main() -> float:
        sum(range(300_000))
        await asyncio.sleep(0)
        return now()

    assert run_virtual(main()) == 0.0


def test_a_deadlock_is_an_error() -> None:
    async def main() -> None:
        await asyncio.sleep(1.5)
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match=r"everything waits at 1\.500 s"):
        run_virtual(main())


def test_cleanups_run_after_a_deadlock() -> None:
    closed = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    with pytest.raises(DeadlockError):
        run_virtual(main())
    assert closed == [True]


def test_virtual_time_stops_while_a_thread_works() -> None:
    go = threading.Event()

    async def main() -> tuple[float, float]:
        timer = asyncio.create_task(asyncio.sleep(5))
        work = asyncio.get_running_loop().run_in_executor(None, go.wait, 60)
        await asyncio.sleep(0)
        before = now()
        threading.Timer(0.05, go.set).start()
        assert await work
        after = now()
        await timer
        assert now() == 5.0
        return before, after

    assert run_virtual(main()) == (0.0, 0.0)


def test_virtual_time_stops_while_a_pipe_is_read() -> None:
    here, there = socket.socketpair()

    async def main() -> tuple[bytes, float]:
        reader, writer = await asyncio.open_connection(sock=here)
        threading.Timer(0.05, there.send, [b"answer"]).start()
        with outside_work():
            answer = await reader.read(6)
        writer.close()
        return answer, now()

    try:
        assert run_virtual(main()) == (b"answer", 0.0)
    finally:
        there.close()


def test_outside_work_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabspec.replay.clock.OUTSIDE_LIMIT_S", 0.01)

    async def main() -> None:
        with outside_work():
            await asyncio.sleep(1)

    with pytest.raises(DeadlockError, match="from outside"):
        run_virtual(main())


def test_outside_work_on_a_real_loop_does_nothing() -> None:
    async def main() -> bool:
        with outside_work():
            await asyncio.sleep(0)
        return isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

    assert asyncio.run(main()) is False


def test_errors_are_raised_and_async_generators_closed() -> None:
    closed = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(10):
                await asyncio.sleep(1)
                yield number
        finally:
            closed.append(now())

    async def main() -> None:
        async for number in numbers():
            if number == 2:
                raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        run_virtual(main())
    assert closed == [3.0]
