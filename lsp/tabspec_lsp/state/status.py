"""What `tabspec/status` says: live figures, for status lines and reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tabspec import __version__
from tabspec.context import EditContext
from tabspec.engine.stats import EngineStats
from tabspec.suggestion import Answer, Source
from tabspec_lsp.models import ModelHost, ModelState
from tabspec_lsp.options import Options
from tabspec_lsp.state.documents import Documents

if TYPE_CHECKING:
    from tabspec.engine.engine import CompletionEngine


@dataclass
class Tabs:
    """Counts accepts that were followed by a request at the resulting cursor (``tabs``); of these, the ones answered
    with a suggestion and no wait (``instant``), and the ones without a suggestion (``silent``)."""

    tabs: int = 0
    instant: int = 0
    silent: int = 0
    _after: dict[str, EditContext] = field(default_factory=dict)

    def accepted(self, after: EditContext) -> None:
        """An accept has led to ``after``."""
        self._after[after.uri] = after

    def forget(self, uri: str) -> None:
        """It was taken back."""
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
    options: Options,
    host: ModelHost,
    stats: EngineStats,
    engine: CompletionEngine | None,
    tabs: Tabs,
    documents: Documents,
    recording: str | None,
    trouble: str = "",
) -> dict[str, Any]:
    """The answer to `tabspec/status`; docs/reference/protocol.md lists the fields.

    ``trouble``: why a model that is loaded could not answer last.
    """
    cache = engine.completion_cache if engine else None
    foreground, speculative = engine.in_flight if engine else (0, 0)
    return {
        "version": __version__,
        "enabled": options.server.enabled,
        "policy": options.engine.policy.value,
        "model": {
            "name": host.model.info.name if host.model else host.spec or "bundled",
            "state": host.state.value,
            "detail": trouble if trouble and host.state is ModelState.READY else host.detail,
            "percent": host.percent,
            "pid": getattr(host.model, "pid", None),  # of the model's own process
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
