"""The worker process's client: a `Model` that runs in a process of its own. Imports no torch.

The client stays responsive while the model loads, computes, crashes, is killed or is stopped. If a worker dies, or does
not answer for some seconds (`tabspec.models.process.heartbeat`), another one is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from enum import StrEnum
from typing import Any

from tabspec.errors import ModelNotUsable, ModelUnavailable
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.files.hub import absolute
from tabspec.models.messages import Message, read_info, to_line
from tabspec.models.process.heartbeat import Heartbeat
from tabspec.models.process.streams import Streams, listen
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo
from tabspec.system import processes

log = logging.getLogger(__name__)

COMMAND = tuple(processes.python("tabspec.models.process.worker_main"))

# A worker that dies while it loads will most likely die again: after the third time, no other is started.
MOST_DEATHS_IN_LOADING = 3
# Seconds before a restart: none the first time, then doubled from FIRST to LONGEST. After CALM seconds without a death
# it begins anew.
FIRST_WAIT, LONGEST_WAIT, CALM = 0.5, 30.0, 60.0
# Seconds that a worker has to exit after its input is closed.
GRACE = 2.0
SILENT = "the model's process does not answer"


class WorkerState(StrEnum):
    """Where the worker process is."""

    IDLE = "idle"  # not asked for yet
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"  # the model cannot be used, or the worker keeps dying; it is not tried again
    CLOSED = "closed"


class WorkerModel:
    """The model ``name`` (None: the bundled one) in a worker process, started at the first request or by `start`.

    ``options`` are those of `tabspec.models.load.load_model`; ``threads`` bounds torch's threads. ``on_progress`` is
    called with a line whenever the state changes or loading gets on.
    """

    warm = True  # keys and values of the last prompts are kept
    schedules = True  # foreground generations run alone, on all threads

    def __init__(
        self,
        name: str | None = None,
        *,
        options: dict[str, Any] | None = None,
        threads: int | None = None,
        on_progress: Callable[[WorkerState, str], None] = lambda _state, _detail: None,
        command: tuple[str, ...] = COMMAND,
    ) -> None:
        self._load = to_line("load", model=absolute(name), options=options or {}, threads=threads)
        self._command, self._on_progress = command, on_progress
        self._info = ModelInfo(name or "bundled", f"not loaded yet: {name or 'bundled'}", 0)
        self._streams = Streams(self._write)
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[ModelInfo] | None = None
        self._heartbeat: Heartbeat | None = None
        self._requests = 0
        self._last_lines: deque[str] = deque(maxlen=20)  # the worker's last lines on its standard error
        self.state, self.detail = WorkerState.IDLE, ""

    @property
    def info(self) -> ModelInfo:
        """Before the model has been loaded, only the name is right."""
        return self._info

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._process.pid if self._process else None

    @property
    def busy(self) -> bool:
        """Whether a request is being answered, or waits for the model."""
        return self._requests > 0

    async def start(self) -> ModelInfo:
        """Start the worker if there is none, and wait until its model is loaded.

        Raises `ModelNotUsable` if the model cannot be loaded, `ModelUnavailable` if the worker does not stay alive.
        """
        if self.state is WorkerState.CLOSED:
            raise ModelUnavailable("the model is closed")
        if self._ready is None:
            self._ready = _quiet_future()
            self._keeper = asyncio.create_task(self._keep())
        return await asyncio.shield(self._ready)

    async def stream(self, request: GenerationRequest | EditRequest) -> AsyncGenerator[Chunk, None]:
        self._requests += 1
        try:
            await self.start()
            if self._heartbeat:
                if self._heartbeat.silent:
                    raise ModelUnavailable(SILENT)
                self._heartbeat.expect()
            async with aclosing(self._streams.stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ModelNotUsable as error:  # to a request it is a model that is not there
            raise ModelUnavailable(str(error)) from None
        finally:
            self._requests -= 1

    async def close(self) -> None:
        """End the worker. Streams that are open fail as unavailable."""
        self._change(WorkerState.CLOSED, "")
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._fail_streams("the model is closed")
        if self._ready and not self._ready.done():
            self._ready.set_exception(ModelUnavailable("the model is closed"))

    # --- keeping the process ----------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Run workers one after the other, until the model is closed or has failed."""
        deaths_in_loading, wait = 0, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            self._change(WorkerState.LOADING, "starting the model's process")
            ended = await self._live()
            if self.state is WorkerState.FAILED:
                self._fail_streams(self.detail)
                return
            if self._ready and self._ready.done():  # it had loaded the model
                self._ready, deaths_in_loading = _quiet_future(), 0
            else:
                deaths_in_loading += 1
            self._fail_streams(f"{ended}; it is started again")
            if deaths_in_loading == MOST_DEATHS_IN_LOADING:
                words = self._last_lines[-1].strip() if self._last_lines else "it printed no reason"
                self._give_up(ModelUnavailable(f"{ended}, {deaths_in_loading} times while loading: {words}"))
                return
            wait = 0.0 if clock() - began > CALM else wait
            if wait:
                self._change(WorkerState.LOADING, f"{ended}; starting it again in {wait:g} s")
                await asyncio.sleep(wait)
            wait = min(max(2 * wait, FIRST_WAIT), LONGEST_WAIT)

    async def _live(self) -> str:
        """One worker from its start to its end; how it ended."""
        self._last_lines.clear()
        pipe = asyncio.subprocess.PIPE
        try:
            process = await processes.open_process(self._command, stdin=pipe, stdout=pipe, stderr=pipe)
        except OSError as error:
            self._give_up(ModelUnavailable(f"the model's process cannot be started: {error.strerror}"))
            return "the model's process could not be started"
        self._process = process
        self._heartbeat = heartbeat = Heartbeat(lambda: self._write(to_line("ping")), self._silent_changed)
        stderr = asyncio.create_task(self._read_stderr(process))
        hung = False
        try:
            self._write(self._load)
            assert process.stdout is not None
            busy, loading = (lambda: self.busy or self._loading), (lambda: self._loading)
            if hung := await listen(process.stdout, heartbeat, self._handle, busy, loading):
                process.kill()
        except Exception:
            log.exception("the model's process wrote a line that cannot be understood; it is ended")
        finally:
            self._process = self._heartbeat = None
            await _end(process)
            stderr.cancel()
        if hung:
            return f"{SILENT}, and was ended"
        code = process.returncode or 0
        return f"the model's process died ({f'signal {-code}' if code < 0 else f'exit status {code}'})"

    @property
    def _loading(self) -> bool:
        return self._ready is not None and not self._ready.done()

    def _silent_changed(self, silent: bool) -> None:
        if self._loading:
            return  # the state is LOADING already
        if silent:
            self._change(WorkerState.LOADING, SILENT)
            self._fail_streams(SILENT)
        else:
            self._change(WorkerState.READY, self._info.detail)

    def _handle(self, message: Message) -> None:
        match message["op"]:
            case "chunk" | "error":
                self._streams.handle(message)
            case "loading":
                self._change(WorkerState.LOADING, message["detail"])
            case "ready":
                self._info = read_info(message["info"])
                self._change(WorkerState.READY, self._info.detail)
                assert self._ready is not None
                self._ready.set_result(self._info)
            case "failed":
                self._give_up(ModelNotUsable(message["message"]))

    async def _read_stderr(self, process: asyncio.subprocess.Process) -> None:
        """Keep the last lines of the worker's standard error, for the message when it dies."""
        assert process.stderr is not None
        while data := await process.stderr.read(1 << 16):  # by blocks: libraries draw progress bars without line ends
            text = data.decode("utf-8", "replace")
            log.debug("worker: %s", text.rstrip())
            self._last_lines.extend(line for line in text.splitlines() if line.strip())

    # --- small things -----------------------------------------------------------------------------------------------

    def _change(self, state: WorkerState, detail: str) -> None:
        self.state, self.detail = state, detail
        self._on_progress(state, detail)

    def _give_up(self, error: ModelNotUsable | ModelUnavailable) -> None:
        """Fail every request from now on with ``error``."""
        self._change(WorkerState.FAILED, str(error))
        assert self._ready is not None
        if not self._ready.done():
            self._ready.set_exception(error)

    def _fail_streams(self, why: str) -> None:
        self._streams.fail(ModelUnavailable(why))

    def _write(self, line: bytes) -> None:
        # If the worker has just died, `_live` fails the streams.
        if self._process and self._process.stdin and not self._process.stdin.is_closing():
            self._process.stdin.write(line)


def _quiet_future() -> asyncio.Future[ModelInfo]:
    """A future whose error may stay unread: not every caller waits for the model."""
    future: asyncio.Future[ModelInfo] = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process: by closing its input, and if that does not help, by force."""
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), GRACE)
    except TimeoutError:
        process.kill()
        await process.wait()
