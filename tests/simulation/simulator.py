"""The simulator: users, clients that deliver late or never, a model that fails, and one engine, on a virtual clock.

Everything is drawn from one seed: a run is reproduced to the byte by its seed and number of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.lab.tree import speculator_for
from tabspec.suggestion import Answer, Reason, Suggestion

from .faults import Fault, Faults
from .invariants import Request, Violation, Watch
from .loop import WatchedLoop
from .model import SimulatedModel
from .oracle import Oracle
from .users import Editor
from .world import World


@dataclass(frozen=True, slots=True)
class Report:
    """What a run without violations amounted to."""

    seed: int
    events: int
    requests: int
    sources: dict[str, int]
    reasons: dict[str, int]
    streams: int
    failures: int
    endless: int
    freezes: int
    tokens: int
    evictions: int
    seconds: float  # virtual


class Simulation:
    """One run. To be made inside a running `VirtualTimeLoop`."""

    def __init__(self, world: World, note: Callable[[str], None] | None = None) -> None:
        self.world, self._note = world, note
        self.random = Random(f"users {world.seed}")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WatchedLoop)
        self._loop, self._main = loop, asyncio.current_task()
        endless = Random(f"endless {world.seed}") if world.endless else None
        self.faults = Faults(Random(f"faults {world.seed}"), world.fault_rate, world.together > 1, endless)
        self._freezing = Random(f"freezes {world.seed}")
        self.model = SimulatedModel(self.faults, world.end_percent, world.together)
        self.engine = CompletionEngine(
            self.model, world.config, slots=world.slots, speculator=speculator_for(world.config.policy)
        )
        self.oracle = Oracle(self.model, world.config)
        self.watch = Watch(self.engine, self.model, world.config, self.oracle, world.slots, self._loop.time)
        names = [f"file:///project/{name}" for name in ("a.py", "b.c", "c.py", "d")]
        self.editors = [Editor(uri, self.random) for uri in names[: world.documents]]
        self.events = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_the_way = 0
        self.trouble: BaseException | None = None
        self._loop.set_exception_handler(self._unhandled)

    # --- the run ----------------------------------------------------------------------------------------------------

    async def run(self, events: int) -> None:
        """``events`` things happen; then nothing goes wrong any more, and service must have returned."""
        actions, weights = list(self.world.actions), list(self.world.actions.values())
        busy = self.editors[0]
        while self.events < events:
            if self.random.random() < 0.15:
                busy = self.random.choice(self.editors)
            [action] = self.random.choices(actions, weights)
            self._event(action, busy)
            self._act(action, busy)
            if self._freezing.random() < self.world.freeze_rate:
                self._event("process freezes", None)
                self.model.freeze(self._freezing.choice((0.5, 3.0, 1000.0)))
            if self.random.random() < 0.8:
                await self._pass(self.random.choice(self.world.pauses))
        await self._recover()
        await self._end()

    async def _pass(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (0.5 + self.random.random()))
        if self.trouble:
            raise self.trouble

    async def _recover(self) -> None:
        """After the faults: every document gets its answers again."""
        self.faults.stop()
        self.model.revive()
        while self._tasks or self._on_the_way:
            await self._pass(100)
        for editor in self.editors:
            for _ in range(3):
                editor.type(editor.words(1))
                answers: list[Answer] = []
                self._ask(editor, answers)
                await self._pass(1000)
                if not answers or answers[0].reason in (Reason.FAILED, Reason.UNAVAILABLE, Reason.SUPERSEDED):
                    raise Violation(f"service has not returned: {answers} at {editor.uri}")
        self.watch.books()

    async def _end(self) -> None:
        """The documents are closed, then the engine, now and then in the middle of work; nothing may go on."""
        if self.random.random() < 0.5:
            for editor in self.editors:
                self._close(editor)
            await self._pass(0)
            if self.engine._scheduler.generations() or self.engine._requests._latest:
                raise Violation("something is kept for documents that are closed")
        asked = self.editors[0]
        asked.type("a")
        self._ask(asked)
        await self._pass(0)
        self.watch.current.clear()
        for request in self.watch.pending:
            request.moved_on = True
        closing = asyncio.create_task(self.engine.close())
        if self.random.random() < 0.5:
            await self._pass(0)
        await closing
        offer = self.oracle.offer(asked.context)
        if isinstance(offer, Suggestion):
            self.engine.shown(asked.context, offer)
        await self._pass(0)
        if self.model.open or self.engine._scheduler.generations():
            raise Violation("work goes on after close()")
        await self._pass(10)
        self.watch.books()

    # --- things that happen -----------------------------------------------------------------------------------------

    def _act(self, action: str, editor: Editor) -> None:
        random, screen = self.random, editor.screen
        on_screen = screen and screen[0].same_place(editor.context)
        match action:
            case "type":
                editor.type(editor.words(1))
            case "type through":
                editor.type(editor.agreeing(self._said(editor)))
            case "contradict":
                editor.type(editor.contradicting(self._said(editor)))
            case "enter":
                editor.type(editor.line_end + random.choice(("", "  ")))
            case "backspace":
                editor.backspace()
            case "undo":
                editor.undo()
            case "redo":
                editor.redo()
            case "move":
                editor.move()
                if random.random() < 0.5:
                    self._rested(editor)
                    return
            case "paste":
                editor.type(editor.words(random.choice((3, 10, 40, 150))))
            case "edit elsewhere":
                editor.edit_elsewhere()
            case "replace all":
                editor.replace_all()
            case "accept" | "accept word" | "accept line":
                if not screen or not on_screen:
                    return
                self._accept(action, editor, screen[1])
                return
            case "reject":
                if screen and on_screen:
                    editor.screen = None
                    self.deliver("rejected", self._rejected, *screen)
                return
            case "ask":
                self._ask(editor)
                return
            case "look":
                pass
            case "cancel":
                if self._tasks:
                    random.choice(sorted(self._tasks, key=lambda task: int(task.get_name()))).cancel()
                return
            case "close":
                self._close(editor)
                editor.open()
                if random.random() < 0.5:
                    editor.replace_all()
                if random.random() < 0.5:
                    self._tell(editor)
                return
            case "worker dies":
                self.model.die()
                self._loop.call_later(random.choice((0.0, 0.5, 5.0)), self.model.revive)
                return
        self._tell(editor)

    def _said(self, editor: Editor) -> str:
        """What the screen says, or else what a model would."""
        if editor.screen and editor.screen[0].same_place(editor.context):
            return editor.screen[1].text
        return self.oracle.fresh(editor.context).text

    def _tell(self, editor: Editor) -> None:
        """The editor tells of a change, asks, both, or waits with it for the next time."""
        editor.screen = None
        dice = self.random.random()
        if dice < 0.3:
            self._changed(editor.context)
        if dice < 0.9:
            self._ask(editor)

    def _accept(self, action: str, editor: Editor, suggestion: Suggestion) -> None:
        if action == "accept word":
            suggestion = suggestion.first_word()
        elif action == "accept line":
            suggestion = suggestion.first_line()
        before = editor.accept(suggestion)
        editor.screen = None
        if self.random.random() < 0.5:  # by the editor's command, before or after it has told of the change
            self.deliver("accepted", self._accepted, before, suggestion)
            self._tell(editor)
        else:
            self._tell(editor)
            self.deliver("accepted", self._accepted, before, suggestion)

    # --- what clients tell the engine -------------------------------------------------------------------------------

    def _ask(self, editor: Editor, answers: list[Answer] | None = None) -> None:
        task = asyncio.create_task(self._request(editor, editor.context, answers), name=str(self.events))
        self._tasks.add(task)
        task.add_done_callback(self._asked)

    async def _request(self, editor: Editor, context: EditContext, answers: list[Answer] | None) -> None:
        self._say("ask", context)
        request: Request = self.watch.begins(context)
        try:
            answer = await self.engine.complete(context)
        except asyncio.CancelledError:
            self.watch.cancelled(request)
            return
        self._say("answer", answer.source, answer.reason, answer.suggestion, answer.waited)
        self.watch.answered(request, answer)
        if answers is not None:
            answers.append(answer)
        if answer.suggestion and context.same_place(editor.context):
            editor.screen = (context, answer.suggestion)
            self.deliver("shown", self.engine.shown, context, answer.suggestion)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)

    def _changed(self, context: EditContext) -> None:
        self._say("changed", context)
        self.watch.changed(context)
        self.engine.changed(context)

    def _rested(self, editor: Editor) -> None:
        editor.screen = None
        self._say("rested", editor.context)
        self.watch.changed(editor.context)
        self.engine.rested(editor.context)

    def _accepted(self, context: EditContext, suggestion: Suggestion) -> None:
        self.watch.accepted(context, suggestion)
        self.engine.accepted(context, suggestion)

    def _rejected(self, context: EditContext, suggestion: Suggestion) -> None:
        self.watch.rejected(context, suggestion)
        self.engine.rejected(context, suggestion)

    def _close(self, editor: Editor) -> None:
        self._say("close", editor.uri)
        self.watch.closed(editor.uri)
        self.engine.closed(editor.uri)

    def deliver(self, what: str, call: Callable[[EditContext, Suggestion], None], *args: Any) -> None:
        """Tell the engine: now, or late, or twice, or never."""
        random, late = self.random, self.world.late_rate
        if random.random() >= late:
            self._tell_engine(what, call, args)
        for _ in range(random.choice((0, 1, 1, 2)) if random.random() < late else 0):
            self._on_the_way += 1
            self._loop.call_later(random.choice((0.0, 0.02, 0.5, 20.0)), self._arrive, what, call, args)

    def _arrive(self, what: str, call: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._on_the_way -= 1
        self._event("late", None)
        self._tell_engine(what, call, args)

    def _tell_engine(self, what: str, call: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._say(what, *args)
        self.watch.before_notification()
        call(*args)

    # --- the record -------------------------------------------------------------------------------------------------

    def _event(self, action: str, editor: Editor | None) -> None:
        self.events += 1
        self._loop.turns = 0
        self._say(f"--- {self.events}", action, editor and editor.uri)

    def _say(self, *what: object) -> None:
        if self._note:
            self._note(f"{self._loop.time():10.4f} " + " ".join(map(_short, what)))

    def _fail(self, error: BaseException) -> None:
        self.trouble = self.trouble or error

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._fail(context.get("exception") or Violation(context["message"]))

    def quiet(self, seconds: float) -> None:
        """Called each time before the clock moves."""
        if not self.trouble:
            try:
                self.watch.quiet(seconds)
            except Violation as violation:
                self._fail(violation)

    def stuck(self) -> None:
        """Called when the clock does not come to move."""
        self._fail(Violation("everybody is busy, and no time passes"))
        if self._main:
            self._main.cancel()

    def report(self) -> Report:
        stats = self.engine.stats
        return Report(
            self.world.seed,
            self.events,
            stats.requests,
            {str(key): n for key, n in sorted(stats.sources.items())},
            {str(key): n for key, n in sorted(stats.reasons.items())},
            len(self.model.asked),
            len(self.model.failed),
            sum(stream.plan.fault is Fault.ENDLESS for stream in self.model.failed),
            self.model.freezes,
            self.model.decoded,
            self.engine.completion_cache.evictions,
            round(self._loop.time(), 6),
        )


def simulate(seed: int, events: int = 2000, note: Callable[[str], None] | None = None) -> Report:
    """Run one seed. Raises `Violation` where an invariant does not hold."""

    async def main() -> Report:
        simulation = loop.simulation = Simulation(World(seed), note)
        try:
            await simulation.run(events)
        except BaseException as error:
            loop.simulation = None
            error = simulation.trouble or error
            command = f"python -m tests.simulation.run --seed {seed} --events {simulation.events}"
            error.add_note(f"event {simulation.events}; to reproduce: {command}")
            raise error from None
        loop.simulation = None
        return simulation.report()

    loop = WatchedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main())


def _short(thing: object) -> str:
    if isinstance(thing, EditContext):
        return f"{thing.uri[-4:]} {thing.prefix[-30:]!r}|{thing.suffix[:20]!r}"
    if isinstance(thing, Suggestion):
        return f"<{thing.text!r} -{thing.replace_after} {thing.finish}>"
    return str(thing)
