"""Bugs to plant in the engine, and how (`mutant.py`). The simulator has to find every one of them."""

from __future__ import annotations

from .mutant import Mutant

_ENGINE = "engine.engine:CompletionEngine."
_REQUESTS = "engine.requests:Requests."
_SCHEDULER = "engine.scheduler:Scheduler."
_CACHE = "cache.completion_cache:"
_TOGETHER = "models.local.batching:DecodeBatcher."

MUTANTS = (
    Mutant(
        "the completion cache's key without the suffix",
        _CACHE + "_place",
        "digest(context.document.text, context.offset)",
        "0",
    ),
    Mutant(
        "the completion cache's key without the window",
        "engine.prompt_state:PromptState.of",
        "*seen.scope",
        "",
    ),
    Mutant(
        "the completion cache's key without the document's language",
        "engine.prompt_state:PromptState.of",
        "context.document.language, half, ",
        "half, ",
    ),
    Mutant(
        "the completion cache's key with the end of the prefix only",
        _CACHE + "CompletionCache.lookup",
        "prefix_digests(text, lengths)",
        "[(n, next((k.prefix for k in self if k.place == place and k.length == n), 0)) for n in lengths]",
    ),
    Mutant(
        "type-through by length, whatever was typed",
        "suggestion:GeneratedText.after_typing",
        "not self.text.startswith(typed) or ",
        "",
    ),
    Mutant(
        "an answer that was stopped early, served where it is but a beginning",
        "engine.offering:Offering._is_complete",
        "entry.at_cut_point and",
        "False and",
    ),
    Mutant(
        "the suggestion of an entry's own state, offered at another state",
        "engine.offering:Offering.suggest",
        "own = entry is not None and left is entry.generated",
        "own = entry is not None",
    ),
    Mutant(
        "joined on a wrong offset",
        "engine.offering:Offering.joined",
        "entry.generated.after_typing(typed) if typed else",
        "entry.generated.after_typing(typed[:-1]) if typed[1:] else",
    ),
    Mutant(
        "joined across a jump of the window",
        "engine.in_flight:InFlight.agreeing",
        "generation.question.scope != question.scope",
        "False",
    ),
    Mutant(
        "joined, and held to when it contradicts",
        "engine.generation:Generation.agrees",
        "return self.text.startswith(typed) or typed.startswith(self.text)",
        "return True",
    ),
    Mutant(
        "a lost cancel",
        _SCHEDULER + "_stop_task",
        "task.cancel()",
        "pass",
    ),
    Mutant(
        "a change of the document stops nothing",
        "engine.in_flight:InFlight.review",
        "not self.reachable(generation)",
        "False",
    ),
    Mutant(
        "a change of the document stops what is still wanted",
        "engine.generation:Link.on_way",
        "self.suggestion.text.startswith(typed)",
        "not typed",
    ),
    Mutant(
        "a chain goes on although something else was typed",
        "engine.generation:Generation.reachable",
        "any(link.on_way(current) for link in self.lineage)",
        "bool(self.lineage)",
    ),
    Mutant(
        "an interrupted generation goes on without its text",
        _SCHEDULER + "_run",
        "self._stop, generation.text,",
        'self._stop, "",',
    ),
    Mutant(
        "a generation that broke off counts as done",
        _SCHEDULER + "_run",
        'return None if generation.finish else ModelUnavailable("the model\'s answer broke off")',
        "return None",
    ),
    Mutant(
        "speculation is not interrupted for a request",
        _SCHEDULER + "_interrupt_one",
        "if g.state is State.RUNNING and not g.foreground",
        "if False",
    ),
    Mutant(
        "a request is queued behind speculation",
        _SCHEDULER + "_rank",
        "return not generation.foreground, -likely",
        "return generation.foreground, -likely",
    ),
    Mutant(
        "one slot too many",
        _SCHEDULER + "_pump",
        "len(self._running) < self._slots",
        "len(self._running) <= self._slots",
    ),
    Mutant(
        "a slot is never given back after a failure",
        _SCHEDULER + "_left",
        "del self._running[generation]",
        "if task.cancelled() or not task.result(): del self._running[generation]",
    ),
    Mutant(
        "a superseded request is not woken",
        "engine.requests:Request.supersede",
        "self.wake()",
        "pass",
    ),
    Mutant(
        "a newer request does not supersede",
        _REQUESTS + "enter",
        "earlier.supersede()",
        "pass",
    ),
    Mutant(
        "requests are not counted when they are cancelled",
        _ENGINE + "complete",
        "self.stats.count(answer)",
        "answer.reason is Reason.CANCELLED or self.stats.count(answer)",
    ),
    Mutant(
        "an ended request stays in the books",
        _REQUESTS + "leave",
        "del self._latest[request.key]",
        "pass",
    ),
    Mutant(
        "what was rejected is offered again",
        "engine.offering:Rejections.__contains__",
        "_future(context, suggestion) in refused",
        "False",
    ),
    Mutant(
        "a rejection counts at every place",
        "engine.offering:_future",
        "digest(after.document.text)",
        "0",
    ),
    Mutant(
        "the index outlives its entries",
        _CACHE + "_Lengths.remove",
        "self._counts[length] -= 1",
        "pass",
    ),
    Mutant(
        "the completion cache grows without bound",
        _CACHE + "CompletionCache.__init__",
        "super().__init__(max_bytes,",
        "LRUCache.__init__(self, 1 << 40,",
    ),
    Mutant(
        "a late notification counts as the latest",
        _ENGINE + "accepted",
        "current and current.same_place(context)",
        "True",
    ),
    Mutant(
        "a closed document's work goes on",
        _ENGINE + "closed",
        "self._scheduler.cancel(generation)",
        "pass",
    ),
    Mutant(
        "work starts after close()",
        _SCHEDULER + "close",
        "self._closed = True",
        "pass",
    ),
    Mutant(
        "asked again and again",
        "engine.speculation.speculator:Speculator._plan",
        "depth > screen.asked and",
        "",
    ),
    Mutant(
        "CRLF documents get LF",
        "engine.generation:Generation._own",
        "if self._crlf else text",
        "if False else text",
    ),
    Mutant(
        "what a request joins stays a speculation for the model",
        _SCHEDULER + "set_foreground",
        "foreground and self._sent_as_foreground.get(generation) is False",
        "False",
    ),
    Mutant(
        "what no request waits for any more runs beside a request",
        _SCHEDULER + "_demote_abandoned",
        "if left and",
        "if False and",
    ),
    Mutant(
        "the pause for the foreground is never lifted",
        _TOGETHER + "generation",
        "self._foreground -= foreground",
        "pass",
    ),
    Mutant(
        "nothing continues at the end of a pause",
        _TOGETHER + "generation",
        "batcher._plan()",
        "pass",
    ),
    Mutant(
        "a foreground generation counts twice",
        _TOGETHER + "generation",
        "self._foreground += foreground",
        "self._foreground += 2 * foreground",
    ),
    Mutant(
        "speculations do not wait for the foreground",
        _TOGETHER + "_may_run",
        "may_run(asked.foreground, self._foreground)",
        "True",
    ),
    Mutant(
        "what was cancelled stays in line",
        _TOGETHER + "forward",
        "self._waiting.remove(asked)",
        "pass",
    ),
    Mutant(
        "a pass that fails fails for one of its generations only",
        _TOGETHER + "_run",
        "for asked in batch:\n            asked.rows.set_exception(error)",
        "for asked in batch[:1]:\n            asked.rows.set_exception(error)",
    ),
    Mutant(
        "a prefill goes into a pass with decode steps",
        _TOGETHER + "_fitting",
        " and rows + len(asked.tokens) <= MOST_ROWS",
        "",
    ),
    Mutant(
        "a stream that never ends is read for ever",
        _SCHEDULER + "_run",
        "(left := left - 1) < 0 or len(generation.ends) >= most",
        "False",
    ),
    Mutant(
        "a frozen process is not noticed",
        "models.process.heartbeat:Heartbeat.watch",
        "self._become(silent=True)",
        "pass",
    ),
    Mutant(
        "an answer of a frozen process is waited for until it is given up",
        "models.process.heartbeat:Heartbeat.watch",
        "missed == SILENT_TICKS",
        "missed == DEAD_TICKS",
    ),
)
