"""Editors that share a daemon, which starts, ends, is replaced and freezes; and a hostile client.

Real are `SharedModel`, `Connection`, `Daemon` and `Serving`; their sockets and processes are not (`machine.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

from tabspec.errors import ModelError
from tabspec.models.daemon.client import CONNECT_S
from tabspec.models.daemon.place import identity
from tabspec.models.daemon.server import MOST_UNREAD
from tabspec.models.daemon.shared import SharedModel
from tabspec.models.messages import request_fields, to_line

from .held import held
from .layer import Layer
from .machine import MODEL, OTHER, Machine
from .model import question, whole_answer
from .pipes import End

# Seconds within which an editor is to have a worker of its own again where the daemon hangs.
RETURNS_S = 10.0
# Seconds within which a request to a daemon that hangs has ended; and one that had to find out first whether a daemon
# answers.
HANGS_S, ANSWERS_S = 2.5, 4.5
MOST_ASKED, MOST_HOSTILE = 3, 3
LONGEST = 40
# What one message may add to what a client that does not read has not read (`MOST_UNREAD`).
MESSAGE = 1 << 12


@dataclass(eq=False)
class Asked:
    """A request that an editor has open."""

    editor: int
    length: int
    foreground: bool
    began: float
    text: str = ""
    hung: float = 0.0  # seconds in which the daemon, which is to answer it, was frozen
    silent: float = 0.0  # seconds since it began, or since its last chunk
    closed: bool = False


class DaemonLayer(Layer):
    """Several `SharedModel`s on one machine."""

    name = "daemon"

    def __init__(self, seed: int, note: Callable[[str], None] | None = None) -> None:
        super().__init__(seed, note)
        self.machine = Machine(self.go, self.random.choice((0.0, 0.5, 3.0)), self.random.choice((0.002, 0.01)))
        self._around = ExitStack()
        self._around.enter_context(self.machine.running())
        place = self.machine
        self.editors = [SharedModel(MODEL, place=place) for _ in range(self.random.choice((1, 2, 3)))]  # type: ignore[arg-type]
        self.empty = [held(editor).entries for editor in self.editors]
        self.asked: list[Asked] = []
        self.fault = -1.0  # when the daemon was last disturbed
        self.hostile: list[End] = []
        # A turn of every client for each request that may be before it (see `serving.py`), and loading.
        turns = (len(self.editors) + MOST_HOSTILE) * (MOST_ASKED + 1) * (LONGEST + 12) * self.machine.step
        self.patience = ANSWERS_S + 2 * self.machine.load + turns

    # --- events -----------------------------------------------------------------------------------------------------

    def pause(self) -> float:
        return self.random.choice((0.0, 0.01, 0.3, 2.0))

    def act(self) -> None:
        dice, machine = self.random.random(), self.machine
        if dice < 0.5:
            self.ask(self.random.randrange(len(self.editors)))
        elif dice < 0.6:
            if self.asked:
                self.random.choice(self.asked).closed = True
                self.say("closes a stream at its next chunk")
        elif dice < 0.68:
            if machine.process is None:
                other = self.random.random() < 0.2
                self._fault("comes, another one" if other else "comes")
                machine.start(OTHER if other else MODEL)
        elif dice < 0.73:
            if machine.process:
                self._fault("is killed")
                self.go(machine.process.kill())
        elif dice < 0.75:
            if machine.process and not machine.process.frozen:
                self._fault("stops")
                machine.process.daemon.stop()
        elif dice < 0.80:
            if machine.process and not machine.process.frozen:
                self._fault("freezes")
                machine.process.frozen = True
                self.later(self.random.choice((0.3, 5.0, 60.0)), self._thaw, machine.process)
        else:
            self._hostile()

    def _fault(self, what: str) -> None:
        self.fault = self.loop.time()
        self.counts[what] += 1
        self.say("the daemon", what)

    def _thaw(self, process: object) -> None:
        if self.machine.process is process:
            self._fault("goes on")
            assert self.machine.process
            self.machine.process.thaw()

    def ask(self, editor: int) -> Asked | None:
        if sum(asked.editor == editor for asked in self.asked) >= MOST_ASKED:
            return None
        length = self.random.choice((0, 1, 10, LONGEST))
        asked = Asked(editor, length, self.random.random() < 0.7, self.loop.time())
        self.requests += 1
        self.asked.append(asked)
        self.say("ask", editor, length)
        self.go(self._read(asked))
        return asked

    async def _read(self, asked: Asked) -> None:
        how = "closed"
        try:
            stream = self.editors[asked.editor].stream(question(str(asked.editor), asked.length, asked.foreground))
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    asked.silent = asked.hung = 0.0
                    asked.text += chunk.text
                    self.require(whole_answer(asked.length).startswith(asked.text), f"an editor gets {asked.text!r}")
                    if chunk.finish:
                        self.require(asked.text == whole_answer(asked.length), f"an answer is cut: {asked.text!r}")
                        how = "whole"
                    if asked.closed:
                        break
        except ModelError as error:
            # (It counts as silent until it has answered once more.)
            self.require(
                self.fault >= asked.began - CONNECT_S or self._hangs(), f"a request failed without a fault: {error}"
            )
            how = "failed"
        finally:
            self.asked.remove(asked)
        self.counts[how] += 1
        self.say(how, asked.editor, asked.text)

    def _hangs(self) -> bool:
        return self.machine.process is not None and self.machine.process.frozen

    # --- a hostile client of the daemon -----------------------------------------------------------------------------

    def _hostile(self) -> None:
        process, random = self.machine.process, self.random
        if process is None or process.daemon not in self.machine.handlers:
            return
        self.hostile = [end for end in self.hostile if end.open]
        if len(self.hostile) < MOST_HOSTILE:
            reads = random.random() < 0.5
            self.say("hostile", "connects", reads)
            end = process.connect(lambda: reads)
            end.write(to_line("load", identity=identity(MODEL), token=""))
            self.hostile.append(end)
        end = random.choice(self.hostile)
        what = random.choice(("twice", "flood", "cancel", "garbage", "deep", "no id", "unread", "leave"))
        self.say("hostile", what)
        if what == "unread" and self.counts[what]:
            return  # to read so much takes half a second
        self.counts[what] += 1
        endless = request_fields(question("hostile", "endless", random.random() < 0.5))
        match what:
            case "twice":
                for _ in range(40):
                    end.write(to_line("request", id=1, request=endless))
            case "flood":
                for number in range(200):
                    end.write(to_line("request", id=number, request=endless))
            case "cancel":
                for number in (7, 7, -1, 1 << 70):
                    end.write(to_line("cancel", id=number))
            case "garbage":
                end.write(random.choice((b"\xff\xfe\n", b"[]\n", b'{"op":\n', b'{"op":"chunk","id":1}\n', b"\n")))
            case "deep":
                end.write(b'{"op":"request","id":' + b"[" * 20_000 + b"]" * 20_000 + b"}\n")
            case "no id":
                fields = random.choice(({}, {"id": None}, {"id": []}, {"id": 1}, {"id": 1, "request": {"head": 3}}))
                end.write(b"".join([json.dumps({"op": "request", **fields}).encode(), b"\n"]))
            case "unread":  # each is answered with an error; all of them are more than is kept for a client
                end.write(b'{"op":"request","id":1}\n' * (MOST_UNREAD // 60))
            case "leave":
                end.close()

    # --- what must hold ---------------------------------------------------------------------------------------------

    def watch(self, seconds: float) -> None:
        hostile = any(end.open for end in self.hostile)
        for asked in self.asked:
            if asked.foreground or not hostile:  # a speculation waits for everything that a client calls foreground
                asked.silent += seconds
            hangs = self._hangs() and self.editors[asked.editor].shared
            asked.hung = asked.hung + seconds if hangs else 0.0
            # (It may be for a worker that is there until the daemon has loaded its model, and loads, too.)
            most = HANGS_S + 2 * self.machine.load + MOST_ASKED * (LONGEST + 2) * self.machine.step
            self.require(asked.hung <= most + seconds, f"a request waits {asked.hung:.1f} s for a daemon that hangs")
            self.require(
                asked.silent <= self.patience + seconds,
                f"editor {asked.editor} has had no answer and no error for {asked.silent:.1f} s of {self.patience:.1f}",
            )
        # Of each editor at most the one that serves it, and one that ends.
        most = 2 * len(self.editors) + 2
        self.require(len(self.machine.workers) <= most, f"{len(self.machine.workers)} workers are alive")
        for end in self.machine.process.ends if self.machine.process else ():
            unread = len(end.unsent)
            frozen = self.machine.process and self.machine.process.frozen
            self.require(frozen or unread <= MOST_UNREAD + MESSAGE, f"{unread} bytes are kept for a client")

    async def recover(self) -> None:
        for end in self.hostile:
            end.close()
        await self.until(lambda: not self.asked, 4 * self.patience, "not every request ended")
        if self.random.random() < 0.5 and self.machine.process:  # it hangs, and stays so
            self.say("hangs for good")
            process, process.frozen = self.machine.process, True
            await self._served(RETURNS_S)
            await process.kill()
            self.machine.handlers.clear()
        elif self.machine.process:
            await self.machine.process.kill()
        await self._served(2.0)
        self.say("a daemon comes, and stays")
        self.machine.start()
        await self.wait(30 + 2 * self.machine.load)
        await self._served(0.0)
        for number, editor in enumerate(self.editors):
            self.require(editor.shared, f"editor {number} has not come back to the daemon")
        await self.wait(RETURNS_S)
        # Only the daemon's own is left.
        self.require(len(self.machine.workers) == 1, f"{len(self.machine.workers)} workers are alive beside the daemon")
        assert self.machine.process
        self.require(len(self.machine.process.daemon._serving) == 0, "the daemon keeps streams that have ended")
        for editor in self.editors:
            await editor.close()
        await self.wait(1)
        self.require(not any(end.open for end in self.machine.process.ends), "connections are kept by closed editors")
        self.require(not self.machine.process.daemon._clients, "the daemon keeps clients that have gone")
        kept = [held(editor).entries for editor in self.editors]
        # (What the model is called, and the connection's last words.)
        self.require(all(a <= b + 12 for a, b in zip(kept, self.empty, strict=True)), f"editors keep {kept}")
        await self.machine.process.kill()
        self.require(not self.machine.workers, "a worker is left")
        self._around.close()

    async def _served(self, grace: float) -> None:
        """Each editor asks once, which may fail; then, after ``grace`` seconds, it is answered."""
        for number in range(len(self.editors)):
            if grace:
                self.ask(number)
        await self.until(lambda: not self.asked, self.patience, "not every request ended")
        await self.wait(grace)
        for number in range(len(self.editors)):
            before = self.counts["whole"]
            self.ask(number)
            await self.until(lambda: not self.asked, self.patience, "a request did not end")
            self.require(self.counts["whole"] == before + 1, f"editor {number} is without answers")
