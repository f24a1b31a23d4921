"""`LocalEdits`: an edit model on a decoder in this process.

It reads the scans, asks about the likeliest places, and answers with what is most likely right. All of that goes
through the slots, drafts and batching that completions have.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from cachetools import LRUCache

from tabspec.models.edit_protocol import EditAnswer, EditRequest, RegionSize
from tabspec.models.local.batching import DecodeBatcher
from tabspec.models.local.drafts import NgramDrafts
from tabspec.models.local.edits.answer import AnswerSegment, GivenAnswer
from tabspec.models.local.edits.calibration import UNFITTED, EditCalibration
from tabspec.models.local.edits.changes import LineChange
from tabspec.models.local.edits.judge import Judge, Proposal, WrittenChange
from tabspec.models.local.edits.places import EditPlace, LineTag, best_places
from tabspec.models.local.edits.prompts import EditPrompts, Scan
from tabspec.models.local.edits.scene import Scene
from tabspec.models.local.generation import LocalDecoding, decode, run
from tabspec.models.local.logits import Logits
from tabspec.models.local.slots import Decoder, Slot, Slots, row_cost_of
from tabspec.models.process_edits import REGION
from tabspec.models.protocol import CHUNK_AHEAD, ModelInfo, Usage
from tabspec.models.tokens.prompting import Prompter
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.prompt.fim import OURS
from tabspec.suggestion import Finish
from tabspec.text import Edit, difference

# Places that are asked about, the best first. The likeliest answer counts.
MOST_PLACES = 2
# An answer that is more likely right than not leaves less than one half to all others: no other place is asked about.
SURE = 0.5
# A place that is less likely is not asked about: on 750 steps between releases, no such answer would have been shown.
LEAST_PLACE = 0.2
# A pattern that is left to the model is shown from this probability on, before the model writes anything.
AS_SHOWN = 0.1
# Below, it is not shown; in between, where the model shows nothing else (docs/decisions/2026-11-29-judged-patterns.md).
REJECTED = 0.02
# So many are judged at most: if the user has refused the first, the others can be shown.
MOST_LEFT = 3
# Prompt tokens of a pass. A completion that is asked for meanwhile waits for its end, 15 to 20 ms. In passes of 256 a
# scan takes a tenth less.
CHUNK = 128
# Sequences that are kept (5 MB each), and how many of these speculation may always use: two scans and a question. With
# four and one, each of two scans that were read ahead was read again for each question about it.
SLOTS, SPECULATIVE = 6, 3
# Scans whose tags are kept: those of several documents, and of what is computed ahead in them.
_SCANS = 32

ReadScenes = list[tuple[Scene, Mapping[int, LineTag]]]
"""The scenes of a request with their tags."""


class LocalEdits:
    """An `EditModel` on ``local``, whose decoder, slots and batching are its own."""

    judges = True  # patterns that repeat a change

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
        local = LocalDecoding(
            decoder, vocabulary, prompter, Slots(decoder, SLOTS, speculative=SPECULATIVE), drafts, CHUNK, first=first
        )
        return cls(info, local, calibration)

    async def edit(self, request: EditRequest) -> EditAnswer:
        best, most = None, 0.0
        with self.local.batcher.generation(request.foreground):
            read, usage = await self._scenes(request)
            judge = Judge(request)
            left, surest, cost = await self._left(judge, read, request.foreground)
            usage += cost
            if surest >= AS_SHOWN:
                return _all_of(request.region, left, usage)
            async with aclosing(self._written(judge, read, request.foreground)) as found:
                async for written, cost in found:
                    usage += cost
                    probability = self.calibration.probability(written.evidence) if written else 0.0
                    if written is not None and (best is None or probability > most):
                        best, most = written, probability
                    if most >= SURE:
                        break
        if left and most < self.calibration.least:
            return _all_of(request.region, left, usage)
        if best is None:
            return EditAnswer(None, usage=usage)
        change = changed(request.region, best.change) if most >= self.calibration.least else None
        return EditAnswer(change, best.evidence.logprobs, usage, most)

    async def _left(self, judge: Judge, read: ReadScenes, foreground: bool) -> tuple[list[WrittenChange], float, Usage]:
        """Of the patterns that are left to the model, those that it does not reject; the probability of the first of
        these; and what judging them cost."""
        found: list[WrittenChange] = []
        first, usage = 0.0, Usage()
        for scene, place, change in judge.left(read)[:MOST_LEFT]:
            logprobs, cost = await self.score(scene, place, change, foreground)
            usage += cost
            written = judge.written(change, place.probability, logprobs) if logprobs else None
            probability = self.calibration.probability(written.evidence) if written else 0.0
            if written is not None and probability >= REJECTED:
                first = first if found else probability
                found.append(written)
        return found, first, usage

    async def written(self, request: EditRequest) -> AsyncGenerator[tuple[WrittenChange | None, Usage], None]:
        """The edits that come into question, and what each cost beside those before it: what the model writes at the
        likeliest place, what a pattern proposes, what was replaced before replaced again at the likeliest place, and
        what the model writes at the other places. None where nothing changes."""
        read, cost = await self._scenes(request)
        async with aclosing(self._written(Judge(request), read, request.foreground)) as found:
            async for each, asked in found:
                yield each, cost + asked
                cost = Usage()

    async def _written(
        self, judge: Judge, read: ReadScenes, foreground: bool
    ) -> AsyncGenerator[tuple[WrittenChange | None, Usage], None]:
        proposals = judge.proposals(read)
        for rank, (scene, place) in enumerate(best_places(read, MOST_PLACES)):
            if place.probability < LEAST_PLACE:
                break
            change, logprobs, asked = await self.ask(scene, place, foreground)
            yield judge.written(change, place.probability, logprobs), asked
            if rank == 0:
                yield await self._judged(judge, proposals, foreground)
                yield await self._judged(judge, judge.again(scene, place), foreground)
                proposals = ()
        yield await self._judged(judge, proposals, foreground)

    async def _judged(
        self, judge: Judge, proposals: Sequence[Proposal], foreground: bool
    ) -> tuple[WrittenChange | None, Usage]:
        """The first of ``proposals`` that the model has not written itself, and what judging it cost."""
        for scene, place, change in proposals:
            if not judge.knows(change):
                logprobs, cost = await self.score(scene, place, change, foreground)
                return judge.written(change, place.probability, logprobs) if logprobs else None, cost
        return None, Usage()

    async def places(self, request: EditRequest, most: int) -> tuple[list[tuple[Scene, EditPlace]], Usage]:
        """The likeliest places in all scenes, the best first; and what it cost to find them."""
        read, cost = await self._scenes(request)
        return best_places(read, most), cost

    async def _scenes(self, request: EditRequest) -> tuple[ReadScenes, Usage]:
        """The scenes of a request with their tags, and what it cost to read them."""
        read: ReadScenes = []
        cost = Usage()
        for scene in self.prompts.scenes.scenes(request):
            tags, spent = await self._read(self.prompts.scan(scene), request.foreground)
            cost += spent
            read.append((scene, tags))
        return read, cost

    async def ask(
        self, scene: Scene, place: EditPlace, foreground: bool
    ) -> tuple[LineChange | None, tuple[float, ...], Usage]:
        """The change that the model writes at one place, with the log-probabilities of its tokens; None: nothing
        changes. And what that cost."""
        old = scene.lines[place.start : place.stop]
        segment = AnswerSegment(self.local.vocabulary, self.prompts.copied(old), self.prompts.same, self.prompts.end)
        usage = await self._answered(segment, scene, place, foreground)
        new = _lines(segment)
        if new is None or new == tuple(old):
            return None, (), usage
        change = LineChange(scene.first + place.start, scene.first + place.stop, new)
        return change, tuple(segment.logprobs), usage

    async def score(
        self, scene: Scene, place: EditPlace, change: LineChange, foreground: bool
    ) -> tuple[tuple[float, ...], Usage]:
        """The log-probabilities of the tokens with which the model would write ``change`` at a place that holds it; and
        what that cost. None where this is longer than an answer may be."""
        old = scene.lines[place.start : place.stop]
        moved = LineChange(
            change.start - scene.first - place.start, change.stop - scene.first - place.start, change.new
        )
        prompts = self.prompts
        given = prompts.copied(moved.apply(old))
        segment = GivenAnswer(self.local.vocabulary, prompts.copied(old), prompts.same, prompts.end, given=given)
        usage = await self._answered(segment, scene, place, foreground)
        return tuple(segment.logprobs) if segment.finish is Finish.END else (), usage

    async def _answered(self, segment: AnswerSegment, scene: Scene, place: EditPlace, foreground: bool) -> Usage:
        """Decode the answer to the question about a place; what that cost."""
        prompts, usage = self.prompts, Usage()
        prompt = (
            prompts.scan(scene).tokens
            + prompts.answered(scene)
            + prompts.question(scene.lines, place.start, place.stop)
        )
        with self.local.slots.hold(prompt, foreground, segment.holding) as slot:
            async with aclosing(decode(self.local, segment, slot, prompt, foreground)) as chunks:
                async for chunk in chunks:
                    usage += chunk.usage
        return usage

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


def _lines(segment: AnswerSegment) -> tuple[str, ...] | None:
    """The lines that an answer writes; None if it writes none."""
    text = segment.text
    return None if text is None else tuple(text[1:].split("\n")) if text else ()


def _all_of(region: str, left: Sequence[WrittenChange], usage: Usage) -> EditAnswer:
    """The answer with all of these changes, none of which touches another, as likely as the pattern of the first."""
    text = region
    for each in sorted(left, key=lambda each: -each.change.start):
        change = changed(text, each.change)
        text = change.apply(text) if change else text
    first = left[0].evidence
    return EditAnswer(difference(region, text), first.logprobs, usage, first.pattern)


def changed(region: str, change: LineChange) -> Edit | None:
    """A change of lines as a change of the region's text."""
    ended = region.endswith("\n")
    lines = region.removesuffix("\n").split("\n")
    new = change.apply(lines)
    return difference(region, "\n".join(new) + "\n" * (ended and bool(new)))
