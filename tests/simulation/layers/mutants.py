"""Bugs to plant around the engine, and the layer whose simulation has to find each."""

from __future__ import annotations

from ..mutant import Mutant
from .daemon import DaemonLayer
from .http import HttpLayer
from .layer import Layer
from .lsp import LspLayer
from .serving import ServingLayer

_SERVING = "models.process.serving:Serving."
_HTTP = "models.http."
_LSP = "tabspec_lsp.service:CompletionService."

MUTANTS: tuple[tuple[type[Layer], Mutant], ...] = (
    (
        ServingLayer,
        Mutant("a number in use is taken", _SERVING + "start", "if number in self._streams:", "if False:"),
    ),
    (
        ServingLayer,
        Mutant("no turn ends", _SERVING + "_turn_is_over", "stream.steps >= TURN and others_wait", "False"),
    ),
    (
        ServingLayer,
        Mutant(
            "one line for all clients",
            "models.process.turns:RoundRobin.push",
            "self._queues.setdefault(client, deque())",
            "self._queues.setdefault(None, deque())",
        ),
    ),
    (
        ServingLayer,
        Mutant(
            "speculations do not wait",
            "models.local.batching:DecodeBatcher._may_run",
            "may_run(asked.foreground, self._foreground)",
            "True",
        ),
    ),
    (
        ServingLayer,
        Mutant(
            "an answer whose turn is over begins anew",
            _SERVING + "_run",
            "resume=request.resume + stream.written",
            "resume=request.resume",
        ),
    ),
    (
        ServingLayer,
        Mutant("a place too many", _SERVING + "_fill", "len(places.open) < ", "len(places.open) <= "),
    ),
    (ServingLayer, Mutant("a cancel is lost", _SERVING + "cancel", "stream.task.cancel()", "pass")),
    (
        ServingLayer,
        Mutant("an ended stream is kept", _SERVING + "_forget", "del self._streams[stream.number]", "pass"),
    ),
    (
        DaemonLayer,
        Mutant(
            "what a client does not read is kept",
            "models.daemon.server:_Client.write",
            "> MOST_UNREAD",
            "> (MOST_UNREAD << 20)",
        ),
    ),
    (
        DaemonLayer,
        Mutant(
            "a client that has gone leaves its streams",
            "models.daemon.server:Daemon._serve",
            "self._serving.leave(client.number)",
            "pass",
        ),
    ),
    (
        DaemonLayer,
        Mutant(
            "a daemon that does not answer is waited for",
            "models.daemon.client:Connection._silent_changed",
            "if silent:",
            "if False:",
        ),
    ),
    (
        DaemonLayer,
        Mutant(
            "a worker goes on beside the daemon",
            "models.daemon.shared:SharedModel._keep_looking",
            "await worker.close()",
            "pass",
        ),
    ),
    (
        DaemonLayer,
        Mutant(
            "no more looking for a daemon",
            "models.daemon.shared:SharedModel._keep_looking",
            "await self._connect()",
            "pass",
        ),
    ),
    (HttpLayer, Mutant("secrets leave", _HTTP + "model:HttpModel.refuse", "if secret:", "if False:")),
    (
        HttpLayer,
        Mutant(
            "no pause after a failure",
            _HTTP + "connection.pace:Backoff.failed",
            "self._until = max(",
            "self._until = min(",
        ),
    ),
    (
        HttpLayer,
        Mutant(
            "pauses stay short",
            _HTTP + "connection.pace:Backoff.failed",
            "min(max(2 * self._pause, FIRST_S), LONGEST_S)",
            "FIRST_S",
        ),
    ),
    (
        HttpLayer,
        Mutant(
            "patience that a server asks for is not given",
            _HTTP + "connection.pace:Backoff.failed",
            "self._pause if asked is None else min(asked, LONGEST_ASKED_S)",
            "self._pause",
        ),
    ),
    (
        HttpLayer,
        Mutant(
            "another failure shortens the patience",
            _HTTP + "connection.pace:Backoff.failed",
            "max(self._until, asyncio.get_running_loop().time() + pause)",
            "asyncio.get_running_loop().time() + pause",
        ),
    ),
    (
        HttpLayer,
        Mutant(
            "no deadline for the head of an answer",
            _HTTP + "connection.wire:Wire._send",
            "asyncio.timeout(patience)",
            "asyncio.timeout(None)",
        ),
    ),
    (
        HttpLayer,
        Mutant(
            "no deadline for an event",
            _HTTP + "connection.body:events",
            "asyncio.timeout_at(until)",
            "asyncio.timeout_at(None)",
        ),
    ),
    (
        HttpLayer,
        Mutant("a cluster may answer without end", _HTTP + "model:answer", "tokens > request.stop.max_tokens", "False"),
    ),
    (
        HttpLayer,
        Mutant(
            "an answer that broke off is taken for whole",
            _HTTP + "model:read_on",
            'raise ModelUnavailable("the server\'s answer broke off")',
            "yield Chunk(finish=Finish.END)",
        ),
    ),
    (
        HttpLayer,
        Mutant(
            "an answer that broke off is taken up from its beginning",
            _HTTP + "cluster_client:answer",
            "resume=request.resume + emitted",
            "resume=request.resume",
        ),
    ),
    (
        HttpLayer,
        Mutant("connections are kept open", _HTTP + "connection.wire:Wire.events", "await close(response)", "pass"),
    ),
    (
        LspLayer,
        Mutant(
            "rules are not read again",
            "tabspec_lsp.transport.features:did_change_watched_files",
            "ls.workspace_rules.use(_folders(ls))",
            "pass",
        ),
    ),
    (
        LspLayer,
        Mutant(
            "text of a file that rules name is related",
            _LSP + "_neighbour",
            " and not self._ignored(document.uri)",
            "",
        ),
    ),
    (
        LspLayer,
        Mutant(
            "the model is asked ahead while suggestions are off",
            "tabspec_lsp.engine_host:EngineHost.configure",
            "if _needs(before) != _needs(options):",
            "if before.engine != options.engine:",
        ),
    ),
    (
        LspLayer,
        Mutant("closed documents stay related", _LSP + "_lost_track", "self.neighbours.closed(uri)", "pass"),
    ),
)
