"""The response to `tabspec/status`: live figures, for status lines and reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tabspec import __version__
from tabspec.context import EditContext
from tabspec.suggestion import Answer, Source
from tabspec_lsp.engine_host import EngineHost
from tabspec_lsp.models import ModelState
from tabspec_lsp.options import Options
from tabspec_lsp.state.documents import Documents


@dataclass
class Tabs:
    """Counts accepts that were followed by a request at the resulting cursor (``tabs``).

    Of these, ``instant`` were answered with a suggestion and no wait, ``silent`` without a suggestion.
    """

    tabs: int = 0
    instant: int = 0
    silent: int = 0
    _after: dict[str, EditContext] = field(default_factory=dict)

    def accepted(self, after: EditContext) -> None:
        """An accept has led to ``after``."""
        self._after[after.uri] = after

    def forget(self, uri: str) -> None:
        """The last accept in this document was undone."""
        self._after.pop(uri, None)

    def requested(self, context: EditContext, answer: Answer) -> None:
        """A request was answered."""
        after = self._after.pop(context.uri, None)
        if after is not None and after.same_place(context):
            self.tabs += 1
            self.instant += answer.instant
            self.silent += answer.suggestion is None

    @property
    def instant_rate(self) -> float:
        return self.instant / self.tabs if self.tabs else 0.0


def status(
    options: Options, host: EngineHost, tabs: Tabs, documents: Documents, recording: str | None
) -> dict[str, Any]:
    """The response to `tabspec/status`; docs/reference/protocol.md lists the fields."""
    models, stats, engine = host.models, host.stats, host.engine
    cache = engine.completion_cache if engine else None
    foreground, speculative = engine.in_flight if engine else (0, 0)
    return {
        "version": __version__,
        "enabled": options.server.enabled,
        "policy": options.engine.policy.value,
        "model": {
            "name": models.model.info.name if models.model else models.spec or "auto",
            "state": models.state.value,
            "detail": host.trouble if host.trouble and models.state is ModelState.READY else models.detail,
            "percent": models.percent,
            "pid": getattr(models.model, "pid", None),  # of the model's process
        },
        "documents": len(documents),
        "out_of_step": documents.out_of_step,
        "requests": stats.requests,
        "sources": {source.value: stats.sources[source] for source in Source},
        "reasons": {reason.value: count for reason, count in stats.reasons.items()},
        "in_flight": {"foreground": foreground, "speculative": speculative},
        "shown": stats.shown,
        "accepted": stats.accepted,
        "rejected": stats.rejected,
        "hit_rate": round(stats.hit_rate, 4),
        "tabs": tabs.tabs,
        "instant_tabs": tabs.instant,
        "silent_tabs": tabs.silent,
        "instant_tab_rate": round(tabs.instant_rate, 4),
        "tokens": {
            "prefill": stats.usage.prefill,
            "prefill_reused": stats.usage.reused,
            "decoded": stats.usage.decoded,
            "decoded_speculative": stats.speculative_tokens,
            "decoded_unused": stats.speculative_unused,
        },
        "cache": {
            "entries": len(cache) if cache is not None else 0,
            "bytes": cache.bytes if cache is not None else 0,
            "evictions": cache.evictions if cache is not None else 0,
        },
        "recording": recording,
    }
