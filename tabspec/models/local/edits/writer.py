"""`LocalEdits`: an edit model on a decoder in this process.

It reads the scans, asks about the likeliest places, and answers with what is most likely right. All of that goes
through the slots, drafts and batching that completions have.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from cachetools import LRUCache

from tabspec.models.edit_protocol import EditAnswer, EditRequest, RegionSize
from tabspec.models.local.batching import DecodeBatcher
from tabspec.models.local.drafts import NgramDrafts
from tabspec.models.local.edits.answer import AnswerSegment
from tabspec.models.local.edits.calibration import UNFITTED, EditCalibration, Evidence
from tabspec.models.local.edits.places import LineTag, Place, best_places
from tabspec.models.local.edits.prompts import EditPrompts, Scan
from tabspec.models.local.edits.scene import Change, Scene
from tabspec.models.local.generation import LocalDecoding, decode, run
from tabspec.models.local.logits import Logits
from tabspec.models.local.slots import Decoder, Slot, Slots, row_cost_of
from tabspec.models.process_edits import REGION
from tabspec.models.protocol import CHUNK_AHEAD, ModelInfo, Usage
from tabspec.models.tokens.prompting import Prompter
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.prompt.fim import OURS
from tabspec.text import Edit, difference

# Places that are asked about, the best first. The likeliest answer counts.
MOST_PLACES = 2
# An answer that is more likely right than not leaves less than one half to all others: no other place is asked about.
SURE = 0.5
# A place that is less likely is not asked about: on 750 steps between releases, no such answer would have been shown.
LEAST_PLACE = 0.2
# Prompt tokens of a pass. A completion that is asked for meanwhile waits for its end, 15 to 20 ms. In passes of 256 a
# scan takes a tenth less.
CHUNK = 128
# Sequences that are kept: two scans with their chains, and as many of another document or computed ahead.
SLOTS = 4
# Scans whose tags are kept: those of several documents, and of what is computed ahead in them.
_SCANS = 32


@dataclass(frozen=True, slots=True)
class Written:
    """A change of the region that the model wrote: lines ``start`` to ``stop`` (excluded) become ``new``."""

    change: Change
    evidence: Evidence


class LocalEdits:
    """An `EditModel` on ``local``, whose decoder, slots and batching are its own."""

    def __init__(self, info: ModelInfo, local: LocalDecoding, calibration: EditCalibration | None = None) -> None:
        self.info, self.local = info, local
        self.calibration = calibration or UNFITTED
        self.region: RegionSize | None = REGION
        self.prompts = EditPrompts(local.vocabulary)
        self._tags: LRUCache[bytes, dict[int, LineTag]] = LRUCache(_SCANS)

    @classmethod
    def of(
        cls,
        info: ModelInfo,
        decoder: Decoder,
        vocabulary: Vocabulary,
        first: DecodeBatcher | None = None,
        calibration: EditCalibration | None = None,
    ) -> LocalEdits:
        """The edit model on ``decoder``. The foreground passes of ``first`` come before its own."""
        drafts = NgramDrafts(vocabulary.control, row_cost_of(decoder))
        prompter = Prompter(vocabulary, OURS, decoder.context)
        local = LocalDecoding(decoder, vocabulary, prompter, Slots(decoder, SLOTS), drafts, CHUNK, first=first)
        return cls(info, local, calibration)

    async def edit(self, request: EditRequest) -> EditAnswer:
        usage, best, most = Usage(), None, 0.0
        with self.local.together.generation(request.foreground):
            async with aclosing(self.written(request)) as found:
                async for written, cost in found:
                    usage += cost
                    probability = self.calibration.probability(written.evidence) if written else 0.0
                    if written is not None and (best is None or probability > most):
                        best, most = written, probability
                    if most >= SURE:
                        break
        if best is None:
            return EditAnswer(None, usage=usage)
        change = changed(request.region, best.change) if most >= self.calibration.least else None
        return EditAnswer(change, best.evidence.logprobs, usage, most)

    async def written(self, request: EditRequest) -> AsyncGenerator[tuple[Written | None, Usage], None]:
        """What the model writes at each of the likeliest places, the best first, and what it cost since the last one.
        None where nothing changes."""
        places, cost = await self.places(request, MOST_PLACES)
        for rank, (scene, place) in enumerate(places):
            if place.probability < LEAST_PLACE:
                break
            written, asked = await self.ask(scene, place, rank, request.foreground)
            yield written, cost + asked
            cost = Usage()
        yield None, cost

    async def places(self, request: EditRequest, most: int) -> tuple[list[tuple[Scene, Place]], Usage]:
        """The likeliest places in all scenes, the best first; and what it cost to find them."""
        read: list[tuple[Scene, dict[int, LineTag]]] = []
        cost = Usage()
        for scene in self.prompts.scenes.scenes(request):
            tags, spent = await self._read(self.prompts.scan(scene), request.foreground)
            cost += spent
            read.append((scene, tags))
        return best_places(read, most), cost

    async def ask(self, scene: Scene, place: Place, rank: int, foreground: bool) -> tuple[Written | None, Usage]:
        """What the model writes at one place, and what that cost."""
        prompts, usage = self.prompts, Usage()
        old = scene.lines[place.start : place.stop]
        prompt = (
            prompts.scan(scene).tokens
            + prompts.answered(scene)
            + prompts.question(scene.lines, place.start, place.stop)
        )
        segment = AnswerSegment(self.local.vocabulary, prompts.copied(old), prompts.same, prompts.end)
        with self.local.slots.hold(prompt, foreground, segment.holding) as slot:
            async with aclosing(decode(self.local, segment, slot, prompt, foreground)) as chunks:
                async for chunk in chunks:
                    usage += chunk.usage
        text = segment.text
        if text is None:
            return None, usage
        new = tuple(text[1:].split("\n")) if text else ()
        if new == tuple(old):
            return None, usage
        evidence = Evidence(place.probability, segment.same_probability, tuple(segment.logprobs), rank)
        return Written(Change(scene.first + place.start, scene.first + place.stop, new), evidence), usage

    async def tags_of(self, scene: Scene) -> dict[int, LineTag]:
        """The tags of a scene's scanned lines; for measuring."""
        return (await self._read(self.prompts.scan(scene), True))[0]

    def forget(self) -> None:
        """Forget what was kept; for measuring."""
        self.local.slots.clear()
        self._tags.clear()

    async def close(self) -> None:
        self.local.slots.clear()

    async def _read(self, scan: Scan, foreground: bool) -> tuple[dict[int, LineTag], Usage]:
        """Compute the scan's keys and values, as far as they are not kept, and its tags."""
        key = scan.tokens.tobytes()
        known: dict[int, LineTag] | None = self._tags.get(key)
        size = self.local.chunk if foreground else min(self.local.chunk, CHUNK_AHEAD)
        wanted = {} if known is not None else {token: line for line, token in scan.ends}
        tags: dict[int, LineTag] = {}
        with self.local.slots.hold(scan.tokens, foreground) as slot:
            reused = slot.shared(scan.tokens)
            if wanted:
                reused = min(reused, scan.start)  # the logits at the ends of its lines are lost
            if reused < len(scan.tokens):
                slot.truncate(self.local.decoder, reused)
            for start in range(reused, len(scan.tokens), size):
                await self._piece(slot, scan.tokens[start : start + size], start, wanted, tags, foreground)
        if known is None:
            known = self._tags[key] = tags
        return known, Usage(prefill=len(scan.tokens) - reused, reused=reused)

    async def _piece(
        self,
        slot: Slot,
        tokens: array[int],
        start: int,
        wanted: Mapping[int, int],
        tags: dict[int, LineTag],
        foreground: bool,
    ) -> None:
        """Run ``tokens``, the first of which is token ``start`` of the scan, and read the tags that they state."""
        first = min((token for token in wanted if start <= token < start + len(tokens)), default=None)
        want = 0 if first is None else start + len(tokens) - first
        await run(self.local, slot, [(token, None) for token in tokens], want, foreground, guessed=False)
        if first is not None:
            rows = slot.rows
            assert rows is not None
            for token, line in wanted.items():
                if first <= token < start + len(tokens):
                    tags[line] = self._tag(rows[token - first])

    def _tag(self, row: Logits) -> LineTag:
        prompts = self.prompts
        logits = [float(row[token]) for token in (prompts.stays, prompts.changes, prompts.inserts)]
        top = max(logits)
        stays, changes, inserts = (math.exp(logit - top) for logit in logits)
        total = stays + changes + inserts
        return LineTag(changes / total, inserts / total)


def changed(region: str, change: Change) -> Edit | None:
    """A change of lines as a change of the region's text."""
    ended = region.endswith("\n")
    lines = region.removesuffix("\n").split("\n")
    new = change.apply(lines)
    return difference(region, "\n".join(new) + "\n" * (ended and bool(new)))
