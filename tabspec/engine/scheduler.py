"""The scheduler: the one place that decides what the model does next.

Foreground before speculation, first come, first served; among speculations the likelier first. A foreground
generation that finds no free slot interrupts a speculation, which goes back into the queue with what it has
written and later goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from itertools import count

from tabspec.engine.generation import Generation, State
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.protocol import Model, StopRule, schedules


class Scheduler:
    """Runs generations on a model, ``slots`` at a time (one for a local model, more for a server that batches).

    ``wrote`` is called for each piece of text, and may cancel the generation; ``ended`` once for each generation, when
    it is done, cancelled or has failed.
    """

    def __init__(
        self,
        model: Model,
        stop: StopRule,
        wrote: Callable[[Generation], None],
        ended: Callable[[Generation], None],
        slots: int = 1,
    ) -> None:
        self._model, self._stop, self._wrote, self._ended, self._slots = model, stop, wrote, ended, slots
        self._queued: dict[Generation, int] = {}
        self._running: dict[Generation, asyncio.Task[Exception | None]] = {}
        # On a model that serves by urgency, those that run, and whether they were asked as what somebody waits for.
        self._urgent: dict[Generation, bool] = {}
        self._numbers = count()
        self._closed = False

    def generations(self) -> list[Generation]:
        """All that are queued or running."""
        return [*self._running, *self._queued]

    @property
    def idle(self) -> bool:
        return not self._running and not self._queued

    def submit(self, generation: Generation) -> None:
        """Queue a generation, and start it if its turn has come. After `close` it is cancelled at once."""
        if self._closed:
            self._end(generation, State.CANCELLED)
            return
        self._queued[generation] = next(self._numbers)
        self._pump()

    def set_foreground(self, generation: Generation, foreground: bool) -> None:
        """Somebody waits for it now, or nobody any more (but it may still be of use)."""
        generation.foreground = foreground
        if foreground and self._urgent.get(generation) is False and generation.state is State.RUNNING:
            # It was asked as a speculation: others would go on beside it, and what others wait for before it.
            self._stop_task(generation)
            generation.interrupt()
        self._pump()

    def cancel(self, generation: Generation) -> None:
        """Stop a generation before its next decode step."""
        if generation.ended:
            return
        self._queued.pop(generation, None)
        self._stop_task(generation)
        self._end(generation, State.CANCELLED)
        self._pump()

    async def close(self) -> None:
        """Cancel everything, start nothing any more, and wait until the model has stopped."""
        self._closed = True
        for generation in self.generations():
            self.cancel(generation)
        while self._running:
            await asyncio.wait(list(self._running.values()))
            await asyncio.sleep(0)  # the done-callbacks come after the waiter

    def _pump(self) -> None:
        """Start what may start; interrupt one speculation if a foreground generation waits for a slot."""
        while self._queued and len(self._running) < self._slots:
            generation = min(self._queued, key=self._rank)
            del self._queued[generation]
            generation.become(State.RUNNING)
            task = asyncio.create_task(self._run(generation))
            task.add_done_callback(partial(self._left, generation))
            self._running[generation] = task
        if any(generation.foreground for generation in self._queued):
            self._interrupt_one()
        self._give_way()

    def _give_way(self) -> None:
        """What was asked because somebody waited, and nobody does any more, goes on as a speculation as soon as it is
        in somebody's way: else it would take its steps beside, and make each of them longer."""
        left = [g for g, asked in self._urgent.items() if asked and g.state is State.RUNNING and not g.foreground]
        if left and any(generation.foreground for generation in self.generations()):
            for generation in left:
                self._stop_task(generation)
                generation.interrupt()

    def _interrupt_one(self) -> None:
        stopping = [g for g in self._running if g.state is not State.RUNNING]
        # One that was interrupted, and that somebody waits for by now, will want the slot that it is leaving.
        again = [g for g in stopping if g.state is State.QUEUED]
        waiting = sum(g.foreground for g in [*self._queued, *again])
        speculative = [g for g in self._running if g.state is State.RUNNING and not g.foreground]
        # A slot that is being freed already is as good as another interruption.
        for generation in sorted(speculative, key=lambda g: g.probability)[: max(waiting - len(stopping), 0)]:
            self._stop_task(generation)
            generation.interrupt()

    def _stop_task(self, generation: Generation) -> None:
        """Wake a generation's task where it waits for the model. Not twice: the model may be cleaning up by then.
        Nor from inside: the task itself sees what has become of its generation.
        """
        task = self._running.get(generation)
        if task and generation.state is State.RUNNING and task is not asyncio.current_task():
            task.cancel()

    def _rank(self, generation: Generation) -> tuple[bool, float, int]:
        likely = 1.0 if generation.foreground else generation.probability
        return not generation.foreground, -likely, self._queued[generation]

    async def _run(self, generation: Generation) -> Exception | None:
        """Read the model's answer into the generation, to its end or until this task is cancelled."""
        request = generation.question.request(self._stop, generation.text, generation.foreground, generation.wanted)
        if schedules(self._model):
            self._urgent[generation] = request.foreground
        now = asyncio.get_running_loop().time
        started = since = now()
        left = most_chunks(self._stop.max_tokens)
        try:
            async with aclosing(self._model.stream(request)) as stream:
                async for chunk in stream:
                    if (left := left - 1) < 0:
                        return ModelError("the model does not stop writing")
                    # Those that run beside it were served by the same passes.
                    generation.cost += (now() - since) / len(self._running)
                    since = now()
                    if generation.state is State.RUNNING:
                        generation.feed(chunk)
                        self._wrote(generation)
                    if generation.state is not State.RUNNING:  # also where a model did not heed the cancellation
                        return None
        except ModelError as failure:
            return failure
        except Exception as failure:
            # A fault in a model must not take the engine down with it.
            return ModelError(f"{type(failure).__name__}: {failure}")
        finally:
            self._urgent.pop(generation, None)
            generation.busy += now() - started
            generation.cost += (now() - since) / max(len(self._running), 1)
        return None if generation.finish else ModelUnavailable("the model's answer broke off")

    def _left(self, generation: Generation, task: asyncio.Task[Exception | None]) -> None:
        """A generation has left its slot: give it its next state, and the slot to the next one.

        A done-callback and no ``finally``: a task that is cancelled before its first step never runs at all.
        """
        del self._running[generation]
        # Cancelled by nobody here: a library below the model gave up, as on a lost connection.
        error = ModelUnavailable("the model's answer was cancelled") if task.cancelled() else task.result()
        if generation.finish is not None:  # whole, even if it was interrupted or failed after its last token
            error = None
        if generation.state is State.QUEUED and generation.finish is None:
            self._queued[generation] = next(self._numbers)
        elif not generation.ended:
            self._end(generation, State.FAILED if error else State.DONE, error)
        self._pump()

    def _end(self, generation: Generation, state: State, error: Exception | None = None) -> None:
        generation.become(state, error)
        self._ended(generation)


def most_chunks(max_tokens: int) -> int:
    """How many chunks an answer of so many tokens may come in; a model that sends more does not heed its limit.

    A model sends a chunk a token, and some without a text: its prefill, its end, the bytes of unfinished characters (at
    most four for a character). 64 is room for the few that depend on no token.
    """
    return 4 * max_tokens + 64
