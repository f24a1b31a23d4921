"""Two editors with next edits on one daemon: completions and edits that a model writes, asked for and asked ahead.

Real are the engines, `ProcessEdits`, `SharedModel`, `Connection`, `Daemon` and `Serving`; sockets, processes and the
model are not. Both editors have the same names of files with other texts, so that an answer that goes to the other
one, or to another state, is a wrong one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.edits.chain import at_once
from tabspec.edits.edit import ProposedEdit
from tabspec.edits.gate import Refusals, is_shown
from tabspec.edits.history import EMPTY, History
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.generation import Generation, State
from tabspec.engine.next_edits.state import EditState, agreed
from tabspec.models.daemon.shared import SharedModel
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.process_edits import REGION, ProcessEdits
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import WindowSize
from tabspec.suggestion import Reason, Suggestion
from tabspec.text import Document, Edit

from ..layers.layer import Layer
from ..layers.machine import MODEL, Machine
from ..oracle import Oracle
from .author import Open, WritingModel, edited

ACTIONS = {
    "type": 10,
    "line": 3,
    "move": 8,
    "switch": 2,
    "take": 30,
    "ask": 8,
    "cancel": 2,
    "close": 0.5,
    "leave": 0.5,
    "die": 1,
}
FILES = ("file:///a", "file:///b")
# More lines are deleted from the end.
MOST_LINES = 16
# Seconds: a pause of the user, and all that may be before a request.
LONGEST_S = 60.0
# Steps of the model after which a cancel has had its effect: of the pass that runs, and of one that was ready.
LATE_STEPS = 2.5


@dataclass(eq=False)
class Editor:
    """A client: its engine on the shared model, its documents, and what is on its screen."""

    name: str  # the language of its documents: by it, requests are told apart at the model
    model: SharedModel
    engine: CompletionEngine
    texts: dict[str, str]
    uri: str = FILES[0]
    cursor: int = 0
    history: History = EMPTY
    screen: tuple[EditContext, Suggestion] | None = None
    changes: int = 0
    asked: dict[asyncio.Task[None], float] = field(default_factory=dict)  # since when
    latest: dict[str, EditContext] = field(default_factory=dict)  # of each document, as the engine knows it

    @property
    def context(self) -> EditContext:
        return EditContext(Document(self.uri, self.texts[self.uri], self.name), self.cursor, self.history)

    @property
    def generations(self) -> list[Generation]:
        """Completions and edits that are queued or running."""
        return [*self.engine._scheduler.generations(), *self.engine._edits.generations()]


class SharedLayer(Layer):
    """Two editors on one machine with a daemon."""

    name = "shared"

    def __init__(self, seed: int, note: Callable[[str], None] | None = None) -> None:
        super().__init__(seed, note)
        pick = self.random.choice
        self.step = pick((0.005, 0.02, 0.05))
        self.config = EngineConfig(policy=pick(tuple(Policy)), depth=pick((1, 2, 4)), max_lines=1)
        self.machine = Machine(self.go, 0.0, self.step, self._writing)
        self.around.enter_context(self.machine.running())
        self.models: list[WritingModel] = []
        self.numbers = 0
        self.editors: list[Editor] = []
        self.orphans: dict[str, float] = {}  # seconds for which an editor has had more streams than it wants
        self.unheard: dict[Generation, float] = {}  # seconds for which a request waits for what is no foreground work
        self.pauses = pick(((0.0, 0.02), (0.02, 0.3), (0.3, 3.0)))

    def _writing(self, step: float) -> WritingModel:
        model = WritingModel(step)
        model.begins = self._begins
        self.models.append(model)
        return model

    async def begin(self) -> None:
        self.machine.start()
        await self.wait(0.1)
        self.oracle = Oracle(self.models[0].author, self.config)
        self.editors = [self._editor(), self._editor()]
        for editor in self.editors:
            await editor.model.start()
            self.require(editor.model.shared, "an editor does not find the daemon")

    def _editor(self) -> Editor:
        self.numbers += 1
        name = f"plain{self.numbers}"
        model = SharedModel(MODEL, place=self.machine)  # type: ignore[arg-type]
        engine = CompletionEngine(model, self.config, edits=ProcessEdits(model))
        engine._edits.propose = lambda *_: ()  # no pattern: what is offered is the model's
        texts = {uri: "".join(self._line() for _ in range(4)) for uri in FILES}
        return Editor(name, model, engine, texts)

    def _line(self) -> str:
        words = self.random.sample(("a", "aa", "b", "cab", "ba"), 2)
        return f"{' '.join(words)} {self.random.randrange(100)}\n"

    # --- events -----------------------------------------------------------------------------------------------------

    def pause(self) -> float:
        return self.random.choice(self.pauses)

    def act(self) -> None:
        random, editor = self.random, self.random.choice(self.editors)
        [action] = random.choices(list(ACTIONS), list(ACTIONS.values()))
        self.say(editor.name, action)
        text = editor.texts[editor.uri]
        starts = editor.context.document.line_starts
        match action:
            case "type":
                self._change(editor, Edit(editor.cursor, 0, random.choice("abx ")))
            case "line":
                self._change(editor, Edit(random.choice(starts), 0, self._line()))
            case "move":
                editor.cursor = random.randrange(len(text) + 1)
            case "switch":
                editor.uri = next(uri for uri in FILES if uri != editor.uri)
                editor.cursor = random.randrange(len(editor.texts[editor.uri]) + 1)
            case "take":
                self._take(editor)
                return
            case "cancel":
                if editor.asked:
                    self.counts["cancelled"] += 1
                    random.choice(list(editor.asked)).cancel()
                return
            case "close":
                uri = editor.uri
                editor.engine.closed(uri)
                editor.latest.pop(uri, None)
                editor.history = editor.history.without(lambda each: each == uri)
            case "leave":
                self._leave(editor, dies=False)
                return
            case "die":  # while it waits for an answer
                self._ask(editor)
                self.later(1.5 * self.step, self._leave, editor, True)
                return
        if len(starts) > MOST_LINES:
            at = starts[MOST_LINES // 2]
            self._change(editor, Edit(at, len(editor.texts[editor.uri]) - at, ""))
            editor.history = EMPTY
        self._changed(editor)
        if action == "ask" or random.random() < 0.8:
            self._ask(editor)

    def _change(self, editor: Editor, edit: Edit) -> None:
        before = editor.context.document
        editor.texts[editor.uri] = edit.apply(before.text)
        editor.history = editor.history.changed(before, [edit], before.edited(edit), self.loop.time())
        editor.cursor = edit.end

    def _changed(self, editor: Editor) -> None:
        editor.changes += 1
        editor.screen = None
        editor.latest[editor.uri] = editor.context
        editor.engine.changed(editor.context)

    def _take(self, editor: Editor) -> None:
        """Tab."""
        if editor.screen is None or not editor.screen[0].same_place(editor.context):
            return
        before, suggestion = editor.screen
        after = before.after_accept(suggestion)
        editor.texts[after.uri], editor.cursor = after.document.text, after.offset
        assert after.history is not None
        editor.history = after.history
        editor.engine.accepted(before, suggestion)
        self.counts["taken" if suggestion.edit is None else "edit taken"] += 1
        self._changed(editor)
        self._ask(editor)

    def _leave(self, editor: Editor, dies: bool) -> None:
        """The editor is closed, in the midst of whatever it does, or ``dies`` without a word; another one comes."""
        if editor not in self.editors:
            return
        self.counts["died" if dies else "left"] += 1
        if dies and editor.model._connection is not None:
            editor.model._connection._writer.break_off()  # type: ignore[attr-defined]
        for task in editor.asked:
            task.cancel()
        self.editors[self.editors.index(editor)] = self._editor()
        self.go(self._close(editor))

    async def _close(self, editor: Editor) -> None:
        await editor.engine.close()
        await editor.model.close()

    # --- requests ---------------------------------------------------------------------------------------------------

    def _ask(self, editor: Editor) -> None:
        self.requests += 1
        task = self.go(self._request(editor, editor.context))
        editor.asked[task] = self.loop.time()
        task.add_done_callback(editor.asked.pop)

    async def _request(self, editor: Editor, context: EditContext) -> None:
        changes, began = editor.changes, self.loop.time()
        answer = await editor.engine.complete(context)
        if answer.reason is Reason.SUPERSEDED:
            self.require(changes != editor.changes or len(editor.asked) > 1, "superseded, and nothing newer has come")
            return
        if editor not in self.editors:
            return
        suggestion = answer.suggestion
        self.say(editor.name, answer.source, answer.reason, suggestion)
        self.require(answer.reason is not Reason.FAILED, "a request has failed, and nothing was wrong")
        if suggestion is not None and suggestion.edit is None:
            self.require(self.oracle.right(context, suggestion), f"the model does not write {suggestion}")
        else:
            empty = any(isinstance(offer, Reason) for offer in self.oracle.offers(context))
            self.require(empty, f"{suggestion} is offered in place of a completion")
            found, due = suggestion.edit if suggestion else None, self._due(context)
            alike = (found and (found.uri, found.change)) == (due and (due.uri, due.change))
            self.require(alike, f"the edit {found} is offered, where {due} is due")
        if found := suggestion and suggestion.edit:
            self.counts["edit"] += 1
            self.counts["instant edit"] += self.loop.time() == began and found.source is not None
        self.counts["offered"] += suggestion is not None
        if suggestion is not None and changes == editor.changes and context.same_place(editor.context):
            editor.screen = context, suggestion
            editor.engine.shown(context, suggestion)

    def _due(self, context: EditContext) -> ProposedEdit | None:
        """The edit that the model would write for this state now, if it may be shown."""
        history = agreed(context)
        if history is None or not history.steps:
            return None
        state = EditState.of(context, REGION, WindowSize.of(self.config), "", lambda *_: ())
        if state is None:
            return None
        request = state.request(StopRule())
        answer = edited(request)
        new = request.region if answer.change is None else answer.change.apply(request.region)
        cursor = context.document, context.offset
        chain = at_once(state.edits(new, answer.logprobs, answer.probability))
        return next((each for each in chain if is_shown(each, context.document, cursor, history, Refusals())), None)

    # --- what must hold ---------------------------------------------------------------------------------------------

    def _begins(self, stream: Open) -> None:
        """A pass with this stream begins."""
        waiting = any(each.request.foreground for each in self.models[0].open)
        self.require(stream.request.foreground or not waiting, "a speculation runs while an editor waits")
        self.counts["passes"] += 1

    def watch(self, seconds: float) -> None:
        for editor in self.editors:
            for began in editor.asked.values():
                self.require(self.loop.time() - began < LONGEST_S, f"{editor.name} has no answer")
            for generation in editor.engine._edits.generations():
                wanted = generation.waiters > 0 or _can_come(generation, editor.latest.get(generation.root.uri))
                self.require(wanted, f"{editor.name} has an edit written that no accept leads to")
        process = self.machine.process
        assert process is not None
        streams = list(process.daemon._serving._streams.values())
        names = {stream.request.language for stream in streams}
        late = LATE_STEPS * self.step
        for name in names | set(self.orphans):
            editor = next((each for each in self.editors if each.name == name), None)
            running = sum(each.state is State.RUNNING for each in editor.generations) if editor else 0
            more = sum(stream.request.language == name for stream in streams) > running
            self.orphans[name] = self.orphans.get(name, 0.0) + seconds if more else 0.0
            self.require(self.orphans[name] <= late + seconds, f"streams of {name} run on that it does not want")
        self._heard({s.request.language for s in streams if s.request.foreground}, seconds)
        self._places(streams, process.daemon._serving.at_once)

    def _heard(self, foreground: set[str], seconds: float) -> None:
        """Whether the daemon knows of each editor that waits for it."""
        waiting = {
            generation: editor.name
            for editor in self.editors
            for generation in editor.generations
            if generation.waiters and generation.state is State.RUNNING
        }
        unheard = {each: self.unheard.get(each, 0.0) for each, name in waiting.items() if name not in foreground}
        for generation, waited in unheard.items():
            self.require(waited <= LATE_STEPS * self.step, f"{waiting[generation]} waits, and its work is speculation")
            unheard[generation] = waited + seconds
        self.unheard = unheard

    def _places(self, streams: list, at_once: int | None) -> None:  # type: ignore[type-arg]
        """A completion waits for a place only while others have all places of its priority."""
        for stream in streams:
            if stream.task is None and isinstance(stream.request, GenerationRequest):
                same = [
                    each
                    for each in streams
                    if each.task and each.request.foreground == stream.request.foreground
                    and not isinstance(each.request, EditRequest)
                ]  # fmt: skip
                self.require(at_once is not None and len(same) >= at_once, "a completion waits for an edit's place")

    async def recover(self) -> None:
        await self.until(lambda: not any(editor.asked for editor in self.editors), LONGEST_S, "not every request ended")
        for editor in self.editors:
            await self._close(editor)
        await self.wait(LATE_STEPS * self.step + 1)
        process = self.machine.process
        assert process is not None
        self.require(not len(process.daemon._serving), "the daemon keeps streams that have ended")
        self.require(not self.models[0].open, "the model has streams open that have no editor")
        self.require(len(self.machine.workers) == 1, "an editor has started a worker beside the daemon")
        await process.kill()


def _can_come(generation: Generation, now: EditContext | None) -> bool:
    """Whether the state of a generation is the present one, or accepts lead to it."""
    if now is None:
        return False
    return generation.context.same_place(now) or any(link.on_way(now) for link in generation.lineage)
