"""`HttpModel` at a server that fails in every way (`web.py`), on another machine, with secrets in the text.

What must hold: no secret leaves; an answer is the server's, and ends in time; a server that fails or asks for patience
is left alone, and asked again once it is well; nothing is kept of what is over.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from random import Random

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.http.connection.body import FIRST_EVENT_S
from tabspec.models.http.connection.loading import LOAD_S
from tabspec.models.http.connection.pace import FIRST_S, LONGEST_ASKED_S, LONGEST_S
from tabspec.models.http.model import HttpModel
from tabspec.models.protocol import GenerationRequest, RelatedText, StopRule
from tabspec.suggestion import Finish

from .held import held
from .layer import Layer
from .model import whole_answer
from .web import KINDS, LENGTH, Manner, Reached, WebServer

ADDRESS = "http://models.example:8000"
MAX_TOKENS = 48
MOST_ASKED = 3
# Seconds in which a question gets text, or ends: an answer without text may take 120 s, is asked for twice
# (`tabspec.models.http.cluster_client`), and may wait for the place of another such one.
PATIENCE_S = 600.0


@dataclass(eq=False)
class Asked:
    """A question under way. ``split``: a secret stands across the cursor in it."""

    number: int
    began: float
    split: bool
    may_leave: bool = True  # no pause was going on when it began
    has_left: bool = False  # the server has been asked
    text: str = ""
    silent: float = 0.0
    closed: bool = False


class HttpLayer(Layer):
    """One `HttpModel`, and its server."""

    name = "http"

    def __init__(self, seed: int, note: Callable[[str], None] | None = None) -> None:
        super().__init__(seed, note)
        random = self.random
        trouble = {manner: random.choice((0.0, 1.0, 1.0)) for manner in Manner}
        self.server = WebServer(
            Random(f"server {seed}"),
            random.choice(KINDS),
            random.choice((0.01, 0.1)),
            {**trouble, Manner.WELL: random.choice((5.0, 30.0))},
            self._reached,
        )
        self.server.asked_patience = self._asked_patience
        self.model = HttpModel(ADDRESS, key="", transport=self.server)
        self.asked: dict[int, Asked] = {}
        self.secrets: list[bytes] = []
        self.reached_count = 0
        self.over: dict[int, Asked] = {}
        self._numbers = 0
        self._until = 0.0  # until then the server has asked for patience

    async def begin(self) -> None:
        await self.model.connect()
        self.empty = held(self.model).entries

    # --- events -----------------------------------------------------------------------------------------------------

    def pause(self) -> float:
        return self.random.choice((0.0, 0.05, 0.3, 3.0))

    def act(self) -> None:
        dice = self.random.random()
        if dice < 0.8:
            self.ask()
        elif dice < 0.9 and self.asked:
            self.random.choice(list(self.asked.values())).closed = True
            self.say("closes a stream at its next chunk")
        elif dice < 0.93:
            self.server.down = not self.server.down
            self.say("down" if self.server.down else "up")
        elif dice < 0.95:
            self.server.kind = self.random.choice(KINDS)
            self.say("is now", self.server.kind.name)

    def ask(self) -> Asked | None:
        if len(self.asked) >= MOST_ASKED:
            return None
        self._numbers += 1
        self.requests += 1
        request, split = self._question(self._numbers)
        asked = self.asked[self._numbers] = Asked(
            self._numbers, self.loop.time(), split, self.loop.time() >= self._until
        )
        self.say("ask", asked.number, split)
        self.go(self._read(asked, request))
        return asked

    def _question(self, number: int) -> tuple[GenerationRequest, bool]:
        texts = {"head": f"# request {number}\n", "forced": "x = ", "suffix": "\n", "before": "", "after": ""}
        texts |= {"related": "def f(): ...\n"}
        split, dice = False, self.random.random()
        if dice < 0.2:
            where = self.random.choice(sorted(texts))
            texts[where] += f"\n{self._secret()}\n" if where != "forced" else self._secret()
            self.counts[f"secret in {where}"] += 1
        elif dice < 0.25:
            secret, split = self._secret(), True
            at = self.random.randrange(6, 14)
            texts["forced"], texts["suffix"] = secret[:at], secret[at:] + "\n"
            self.counts["secret across the cursor"] += 1
        related = (RelatedText("b.py", texts.pop("related")),)
        foreground = self.random.random() < 0.6
        return GenerationRequest(
            **texts, path="a.py", related=related, stop=StopRule(1, MAX_TOKENS), foreground=foreground
        ), split

    def _secret(self) -> str:
        """A new secret of a well-known kind: a key of AWS."""
        secret = "AKIA" + "".join(self.random.choices(string.ascii_uppercase + "234567", k=16))
        self.secrets.append(secret.encode())
        return secret

    async def _read(self, asked: Asked, request: GenerationRequest) -> None:
        how = "closed"
        try:
            async with aclosing(self.model.stream(request)) as chunks:
                async for chunk in chunks:
                    if chunk.text:
                        asked.silent = 0.0
                    asked.text += chunk.text
                    self._right(asked)
                    self._until = 0.0  # it answers: there is no pause any more
                    if chunk.finish:
                        self._finished(asked, chunk.finish)
                        how = "whole" if chunk.finish is Finish.END else "stopped"
                    elif asked.closed:
                        break
        except ModelError as error:
            how = type(error).__name__
            if isinstance(error, ModelUnavailable) and asked.has_left:
                self._until = max(self._until, self.loop.time() + FIRST_S)
        finally:
            self.over[asked.number] = self.asked.pop(asked.number)
        self.counts[how] += 1
        self.say(asked.number, how, asked.text)

    # --- what must hold ---------------------------------------------------------------------------------------------

    def _reached(self, reached: Reached) -> None:
        try:
            self._may_leave(reached)
        except AssertionError as violation:
            self.fail(violation)

    def _may_leave(self, reached: Reached) -> None:
        self.reached_count += 1
        self.say(reached.method, reached.url, reached.number)
        self.require(reached.url.startswith(ADDRESS), f"a request goes to {reached.url}")
        for secret in self.secrets:
            self.require(secret not in reached.content, f"a secret leaves: {reached.content[:400]!r}")
        if reached.number >= 0:
            asked = self.asked.get(reached.number)
            if asked is None:
                self.require(False, f"question {reached.number} is asked, and is over")
                return
            asked.has_left = True
            self.require(not asked.split, f"both halves of a secret leave: {reached.content[:400]!r}")
            self.require(asked.may_leave, f"question {asked.number} is asked while the server is to be left alone")

    def _asked_patience(self, seconds: float) -> None:
        self.say("patience", seconds)
        self._until = max(self._until, self.loop.time() + min(seconds, LONGEST_ASKED_S))

    def _right(self, asked: Asked) -> None:
        self.require(whole_answer(200).startswith(asked.text), f"question {asked.number} is answered {asked.text!r}")
        tokens = asked.text.count(";")
        self.require(
            tokens <= MAX_TOKENS + 1, f"question {asked.number} gets {tokens} tokens, and asked for {MAX_TOKENS}"
        )

    def _finished(self, asked: Asked, finish: Finish) -> None:
        whole = finish is not Finish.END or asked.text == whole_answer(LENGTH)
        self.require(whole, f"question {asked.number} is cut: {asked.text!r}")

    def watch(self, seconds: float) -> None:
        for asked in self.asked.values():
            asked.silent += seconds
            self.require(
                asked.silent <= PATIENCE_S + seconds, f"question {asked.number} gets nothing for {asked.silent:.1f} s"
            )
        longest = sorted(
            ((self.loop.time() + seconds - since, number) for number, since in self.server.silent.items()), reverse=True
        )
        for at, (silent, number) in enumerate(longest):
            # A server that loads its model on demand may be loading it for one request. That stays open although
            # the server turns out to be of another kind.
            loading = at == 0 and self.model.wire._loading._first is not None
            patience = LOAD_S if loading else FIRST_EVENT_S
            self.require(silent <= patience + 0.01, f"no byte has come for question {number} for {silent:.1f} s")
        lost = [number for number in self.server.open if number not in self.asked]
        self.require(not lost, f"connections are kept for questions that are over: {lost}")

    async def recover(self) -> None:
        await self.until(lambda: not self.asked, 3 * PATIENCE_S, "not every question ended")
        await self._left_alone(120.0)
        self.server.down, self.server.weights = False, {Manner.WELL: 1.0}
        await self.wait(LONGEST_ASKED_S)
        self._until = 0.0
        before = self.counts["whole"]
        self.secrets.clear()
        while (asked := self.ask()) and asked.split:
            await self.until(lambda: not self.asked, PATIENCE_S, "a question did not end")
        await self.until(lambda: not self.asked, PATIENCE_S, "a question did not end")
        if not self.secrets:
            self.require(self.counts["whole"] == before + 1, f"the server is well, and not used: {self.counts}")
        kept = held(self.model).entries
        self.require(kept <= self.empty + 16, f"{kept} entries are kept, {self.empty} at the beginning")
        await self.model.close()
        self.require(not self.server.open, "connections are kept")

    async def _left_alone(self, seconds: float) -> None:
        """A server that is not there is asked less and less often."""
        self.server.down, self._until = True, 0.0
        begin, before = self.loop.time(), self.reached_count
        while self.loop.time() < begin + seconds:
            if asked := self.ask():
                asked.may_leave = True
            await self.wait(0.1)
        # Pauses double from the first to the longest: five, and then one after the other.
        most = 5 + seconds / LONGEST_S + 2 + MOST_ASKED
        tried = self.reached_count - before
        self.require(tried <= most, f"a server that is not there was asked {tried} times in {seconds:g} s")
