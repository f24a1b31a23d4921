"""The scheduler decides which generations the model runs.

Foreground generations come first, in the order of their arrival; then speculations, the likeliest first. A foreground
generation that finds no free slot interrupts a speculation, which returns to the queue with its text so far and later
continues from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from itertools import count

from tabspec.engine.generation import Generation, State
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.protocol import CHUNK_AHEAD, GenerationRequest, Model, StopRule, schedules


class Scheduler:
    """Runs generations on a model, ``slots`` at a time.

    ``wrote`` is called for each piece of text, and may cancel the generation. ``ended`` is called once for each
    generation, when it is done, cancelled or failed.
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
        # For a model that schedules by itself: the running generations, and whether each was sent to it as foreground.
        self._sent_as_foreground: dict[Generation, bool] = {}
        self._numbers = count()
        self._closed = False

    def generations(self) -> list[Generation]:
        """All generations that are queued or running."""
        return [*self._running, *self._queued]

    def submit(self, generation: Generation) -> None:
        """Queue a generation, and start it if a slot is free. After `close` it is cancelled at once."""
        if self._closed:
            self._end(generation, State.CANCELLED)
            return
        self._queued[generation] = next(self._numbers)
        self._pump()

    def set_foreground(self, generation: Generation, foreground: bool) -> None:
        """Promote a generation that a request now waits for, or mark one that no request waits for any more."""
        generation.foreground = foreground
        if foreground and self._sent_as_foreground.get(generation) is False and generation.state is State.RUNNING:
            # The model runs it as a speculation, after all foreground work: it is sent again as foreground.
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
        """Cancel all generations, start no more, and wait until the model has stopped."""
        self._closed = True
        for generation in self.generations():
            self.cancel(generation)
        while self._running:
            await asyncio.wait(list(self._running.values()))
            await asyncio.sleep(0)  # done-callbacks run after this task wakes

    def _pump(self) -> None:
        """Fill free slots; interrupt speculations if foreground generations wait for slots."""
        while self._queued and len(self._running) < self._slots:
            generation = min(self._queued, key=self._rank)
            del self._queued[generation]
            generation.become(State.RUNNING)
            task = asyncio.create_task(self._run(generation))
            task.add_done_callback(partial(self._left, generation))
            self._running[generation] = task
        if any(generation.foreground for generation in self._queued):
            self._interrupt_one()
        self._demote_abandoned()

    def _demote_abandoned(self) -> None:
        """While a request waits, demote generations that were sent as foreground and that no request waits for any
        more: in the same batch they would make each of its passes longer."""
        left = [
            g
            for g, asked in self._sent_as_foreground.items()
            if asked and g.state is State.RUNNING and not g.foreground
        ]
        if left and any(generation.foreground for generation in self.generations()):
            for generation in left:
                self._stop_task(generation)
                generation.interrupt()

    def _interrupt_one(self) -> None:
        stopping = [g for g in self._running if g.state is not State.RUNNING]
        # An interrupted generation that a request has joined meanwhile will need a slot again.
        again = [g for g in stopping if g.state is State.QUEUED]
        waiting = sum(g.foreground for g in [*self._queued, *again])
        speculative = [g for g in self._running if g.state is State.RUNNING and not g.foreground]
        # Slots that are being freed count: no further interruption is needed for them.
        for generation in sorted(speculative, key=lambda g: g.probability)[: max(waiting - len(stopping), 0)]:
            self._stop_task(generation)
            generation.interrupt()

    def _stop_task(self, generation: Generation) -> None:
        """Cancel a running generation's task. Not twice, because the model may already be cleaning up; and not from
        inside the task, which checks the state itself.
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
            self._sent_as_foreground[generation] = request.foreground
        now = asyncio.get_running_loop().time
        started = since = now()
        most = most_chunks(self._stop.max_tokens)
        left = prompt_chunks(request) + most
        try:
            async with aclosing(self._model.stream(request)) as stream:
                async for chunk in stream:
                    # Over several runs, too: an interrupted generation begins again with the tokens that it has.
                    if (left := left - 1) < 0 or len(generation.ends) >= most:
                        return ModelError("the model does not stop writing")
                    # The generations that run at the same time share the same passes.
                    generation.cost += (now() - since) / len(self._running)
                    since = now()
                    if generation.state is State.RUNNING:
                        generation.feed(chunk)
                        self._wrote(generation)
                    if generation.state is not State.RUNNING:  # also if the model ignored the cancellation
                        return None
        except ModelError as failure:
            return failure
        except Exception as failure:
            # A fault in a model must not stop the engine.
            return ModelError(f"{type(failure).__name__}: {failure}")
        finally:
            self._sent_as_foreground.pop(generation, None)
            generation.busy += now() - started
            generation.cost += (now() - since) / max(len(self._running), 1)
        return None if generation.finish else ModelUnavailable("the model's answer broke off")

    def _left(self, generation: Generation, task: asyncio.Task[Exception | None]) -> None:
        """A generation has left its slot: set its next state, and start the next generation.

        This is a done-callback and not a ``finally``, because a task cancelled before its first step never runs.
        """
        del self._running[generation]
        # A task that this scheduler did not cancel: a library gave up, for example on a lost connection.
        error = ModelUnavailable("the model's answer was cancelled") if task.cancelled() else task.result()
        if generation.finish is not None:  # complete, even if it was interrupted or failed after its last token
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
    """How many chunks the text of an answer of so many tokens may come in; a model that sends more does not heed its
    limit.

    A model sends a chunk for each token, and some without text: the end, or the bytes of an unfinished character (at
    most four for a character). 64 leaves room for the few that depend on no token.
    """
    return 4 * max_tokens + 64


def prompt_chunks(request: GenerationRequest | object) -> int:
    """How many chunks may come for the prompt. A token has at least one byte, and a character at most four bytes.

    Requests of another kind are answered in one chunk. A server that decodes the line in progress again, under a
    grammar, sends a chunk for each of its tokens; all other text comes in pieces of at least `CHUNK_AHEAD` tokens.
    """
    if not isinstance(request, GenerationRequest):
        return 0
    computed = len(request.head) + len(request.suffix) + sum(len(text.text) for text in request.related)
    return 4 * len(request.forced + request.resume) + 4 * computed // CHUNK_AHEAD
