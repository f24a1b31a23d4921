"""`Serving` with several clients, one of them hostile: it repeats ids, cancels unknown requests, floods, disconnects.

The model has answers that never end and a process that freezes. What must hold: the others' answers come whole, once,
in order and in their turn, whatever the hostile client does; speculations wait for the foreground; and when all is over
nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from tabspec.models.process.serving import TURN, Serving
from tabspec.models.protocol import Chunk, GenerationRequest
from tabspec.suggestion import Finish

from .held import held
from .layer import Layer
from .model import Open, SteppingModel, question, whole_answer

HOSTILE = 0
# As many as the daemon lets a client have in line.
MOST_STREAMS = 64
# Tokens of answers: shorter than a turn, as ordinary ones are, and one of three turns.
LENGTHS, MOST_TURNS = (0, 1, 5, TURN - 4, 2 * TURN + 10), 3
# Requests that a client of ours has at a time.
MOST_ASKED = 3


@dataclass(eq=False)
class Asked:
    """A request of a client that behaves."""

    number: tuple[int, int]
    request: GenerationRequest
    length: int  # of the answer; -1: the model fails
    text: str = ""
    waited: float = 0.0  # seconds in which the model was not frozen
    ended: bool = False


class ServingLayer(Layer):
    """Several clients of one `Serving`."""

    name = "serving"

    def __init__(self, seed: int, note: Callable[[str], None] | None = None) -> None:
        super().__init__(seed, note)
        self.model = SteppingModel(self.random.choice((0.005, 0.02, 0.05)))
        self.model.begins = self._begins
        self.at_once = self.random.choice((1, 1, 2, 4))
        self.clients = range(1, self.random.choice((2, 3, 5)))
        self.serving = Serving(self.model, self._send, self.at_once, whose=lambda number: number[0])  # type: ignore[index]
        self.empty = held(self.serving)
        self.asked: dict[Hashable, Asked] = {}
        self.over: set[Hashable] = set()  # of ours: ended, or taken back
        self._numbers = self._looks = 0

    # --- events -----------------------------------------------------------------------------------------------------

    def pause(self) -> float:
        return self.random.choice((0.0, 0.0, 0.01, 0.1, 1.0))

    def act(self) -> None:
        dice = self.random.random()
        if dice < 0.45:
            self._ask(self.random.choice(self.clients))
        elif dice < 0.55:
            self._take_back()
        elif dice < 0.58:
            self._leave(self.random.choice(self.clients))
        elif dice < 0.61:
            self.say("freezes")
            self.counts["frozen"] += 1
            self.model.freeze()
            self.later(self.random.choice((0.1, 5.0, 60.0)), self.model.thaw)
        else:
            self._hostile()

    def _ask(self, client: int) -> None:
        if sum(asked.number[0] == client for asked in self.asked.values()) >= MOST_ASKED:
            return
        self._numbers += 1
        number = client, self._numbers
        fails = self.random.random() < 0.1
        length = -1 if fails else self.random.choice(LENGTHS)
        request = question(f"{client}", "fails" if fails else length, self.random.random() < 0.6)
        self.say("ask", number, request.head, request.foreground)
        self.requests += 1
        self.asked[number] = Asked(number, request, length)
        self.serving.start(number, request)

    def _take_back(self) -> None:
        if self.asked:
            number = self.random.choice(list(self.asked))
            self.say("cancel", number)
            del self.asked[number]
            self.over.add(number)
            self.serving.cancel(number)

    def _leave(self, client: int) -> None:
        self.say("leave", client)
        for number in [asked.number for asked in self.asked.values() if asked.number[0] == client]:
            del self.asked[number]
            self.over.add(number)
        self.serving.leave(client)

    def _hostile(self) -> None:
        """What a client may send that means no good. The daemon stands between, as here: what it cannot take it
        answers by closing the connection."""
        random, what = self.random, self.random.choice(("twice", "flood", "cancel", "cancel twice", "leave", "endless"))
        self.say("hostile", what)
        self.counts[what] += 1
        urgent = random.random() < 0.7
        match what:
            case "twice":
                number = HOSTILE, random.randrange(5)
                for _ in range(random.choice((2, 40))):
                    self._push(number, question("hostile", random.choice((1, 3, "endless")), urgent))
            case "flood":
                for number in range(1000, 1000 + 2 * MOST_STREAMS):
                    self._push((HOSTILE, number), question("hostile", random.choice((100, "endless")), urgent))
            case "endless":
                self._push((HOSTILE, random.randrange(5)), question("hostile", "endless", urgent))
            case "cancel":
                self.serving.cancel((HOSTILE, random.randrange(1 << 30)))
            case "cancel twice":
                number = HOSTILE, random.randrange(5)
                self.serving.cancel(number)
                self.serving.cancel(number)
            case "leave":
                self.serving.leave(HOSTILE)

    def _push(self, number: tuple[int, int], request: GenerationRequest) -> None:
        if self.serving.count(HOSTILE) >= MOST_STREAMS:
            return
        try:
            self.serving.start(number, request)
        except (ValueError, KeyError, TypeError):
            self.serving.leave(HOSTILE)

    # --- what must hold ---------------------------------------------------------------------------------------------

    def _send(self, number: Hashable, what: Chunk | Exception) -> None:
        if number[0] == HOSTILE:  # type: ignore[index]
            return
        try:
            self._arrives(number, what)
        except AssertionError as violation:
            self.fail(violation)

    def _arrives(self, number: Hashable, what: Chunk | Exception) -> None:
        asked = self.asked.get(number)
        self.say("send", number, what if isinstance(what, Exception) else repr(what.text))
        if asked is None:
            self.require(False, f"{number} gets something, and has {'ended' if number in self.over else 'not begun'}")
            return
        if isinstance(what, Exception):
            self.require(asked.length < 0, f"{number} fails, and its model did not: {what}")
            self._end(asked, "failed")
            return
        asked.text += what.text
        if asked.length >= 0:
            self.require(whole_answer(asked.length).startswith(asked.text), f"{number} gets {asked.text!r}")
        if what.finish:
            self.require(what.finish is Finish.END and asked.text == whole_answer(asked.length), f"{number} is cut")
            self._end(asked, "whole")

    def _end(self, asked: Asked, how: str) -> None:
        self.counts[how] += 1
        del self.asked[asked.number]
        self.over.add(asked.number)

    def _begins(self, stream: Open) -> None:
        """A step of the model begins."""
        urgent = sum(each.request.foreground for each in self.model.open)
        self.require(urgent <= self.at_once, f"{urgent} foreground streams are open in {self.at_once} places")
        ahead = len(self.model.open) - urgent
        self.require(ahead <= self.at_once, f"{ahead} speculative streams are open in {self.at_once} places")
        self.require(
            stream.request.foreground or not urgent, "a speculation takes a step while a foreground stream is open"
        )

    def watch(self, seconds: float) -> None:
        if self.model.frozen:
            return
        # A turn of every client, for each request of its own that is before it, and its own. A turn is TURN steps, with
        # the prefill, the step in which its stream is told to stop, and one of a speculation before the next turn.
        most = (len(self.clients) + 1) * (MOST_ASKED + 1) * MOST_TURNS * (TURN + 4) * self.model.step
        for asked in self.asked.values():
            if asked.request.foreground:
                asked.waited += seconds
                self.require(asked.waited <= most + seconds, f"{asked.number} waits {asked.waited:.2f} s of {most:.2f}")
        self._looks += 1
        if self._looks % 50:  # it takes long beside the rest
            return
        streams = len(self.clients) * MOST_ASKED + MOST_STREAMS
        # Each is in a few containers. (Those that were cancelled end at the next turn of the loop.)
        kept = held(self.serving).entries - self.empty.entries
        self.require(kept <= 8 * streams, f"{kept} entries are kept for {len(self.serving)} streams")

    async def recover(self) -> None:
        self.say("recovers")
        self.model.thaw()
        self.serving.leave(HOSTILE)
        await self.until(lambda: not self.asked, 3600, "not everything was answered")
        self._ask(self.clients[0])
        await self.until(lambda: not self.asked, 60, "service has not returned")
        await self.wait(61)
        self.require(len(self.serving) == 0, f"{len(self.serving)} streams are kept, and all have ended")
        self.require(not self.model.open, "the model has streams open that have no client")
        self.require(held(self.serving) == self.empty, f"kept at rest: {held(self.serving)}, before: {self.empty}")
