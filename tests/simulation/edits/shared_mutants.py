"""Bugs to plant between two editors with next edits and their daemon. The simulation has to find each of them."""

from __future__ import annotations

from ..mutant import Mutant

_WRITTEN = "engine.next_edits.written:"
_SERVING = "models.process.serving:Serving."
_DAEMON = "models.daemon.server:Daemon."

MUTANTS = (
    Mutant("an answer goes to the first editor", _DAEMON + "_send", "self._clients.get(number[0])",
           "self._clients.get(min(self._clients, default=0))"),
    Mutant("an editor that has gone leaves its streams", _DAEMON + "_serve", "self._serving.leave(client.number)",
           "pass"),
    Mutant("edits take the places of completions", _SERVING + "_places",
           "not isinstance(stream.request, GenerationRequest)", "False"),
    Mutant("a cancel is lost", _SERVING + "cancel", "stream.task.cancel()", "pass"),
    Mutant("speculation does not wait", "models.local.batching:DecodeBatcher._may_run",
           "may_run(asked.foreground, self._foreground)", "True"),
    Mutant("an edit is kept whatever the history", "engine.next_edits.state:EditState.of", "past[0]", "0"),
    Mutant("an edit is kept whatever the document", _WRITTEN + "WrittenEdits._running",
           "each.context.same_place(state.context)", "True"),
    Mutant("a request joins an edit that stays speculation", _WRITTEN + "WrittenEdits._ended_for",
           "self._scheduler.set_foreground(generation, True)", "pass"),
    Mutant("edits that cannot be reached are written on", _WRITTEN + "WrittenEdits.changed",
           "self._review(generation)", "pass"),
    Mutant("the past edits are lost on the way", "models.messages:_read_edit", "_READER.read(given, ",
           '_READER.read({**given, "history": []}, '),
)  # fmt: skip
