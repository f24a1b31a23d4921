"""Awaiting httpx so that a connection is closed however often its caller is cancelled.

httpx closes the connection of a request that is cancelled. It does so within the cancelled task, and a second
cancellation interrupts it: the connection then stays open and in the pool, and the server continues an answer that
has no reader. Therefore each step runs in a task of its own, which is cancelled only once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

_running: set[asyncio.Future[Any]] = set()
"""Steps whose callers are gone. The event loop itself holds no reference to tasks."""


async def alone(step: Awaitable[T]) -> T:
    """The result of ``step``. When the caller is cancelled, the step is cancelled, too, and ends by itself. If it
    returns a response nevertheless, that is closed."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        keep(task)
        raise


async def close(response: httpx.Response) -> None:
    """Close a response, even if the caller is cancelled meanwhile."""
    task = asyncio.ensure_future(response.aclose())
    keep(task)
    await asyncio.shield(task)


def keep(task: asyncio.Future[Any]) -> None:
    """Let a task run to its end without a caller."""
    _running.add(task)
    task.add_done_callback(_ended)


def _ended(task: asyncio.Future[Any]) -> None:
    _running.discard(task)
    if task.cancelled() or task.exception() is not None:  # which has no reader any more
        return
    if isinstance(response := task.result(), httpx.Response):
        keep(asyncio.ensure_future(response.aclose()))
