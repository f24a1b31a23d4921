"""The whole evaluation: each contestant on the same texts and the same holes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import torch

from tabspec.lab.evaluation.ablation import AblationRow, ablate
from tabspec.lab.evaluation.baseline import Baseline
from tabspec.lab.evaluation.bits import corpus_bits
from tabspec.lab.evaluation.calibration import expected_error, reliability
from tabspec.lab.evaluation.infilling.infill import Mark, fill, with_model
from tabspec.lab.evaluation.infilling.snippets import HoleKind, Snippet, sample
from tabspec.lab.evaluation.infilling.surroundings import Surroundings
from tabspec.lab.evaluation.report import Contestant
from tabspec.lab.evaluation.scorer import load_scorer
from tabspec.lab.evaluation.stretches import Stretch, stretches
from tabspec.models.load import BUNDLED, folder_of, load_model
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples.tokenizer import load_tokenizer

TaskProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of an evaluation. All models get the same texts and holes for the same ``seed``.

    For each language: ``holes`` of each kind, ``bytes`` of text for bits per byte, and ``stretches`` (passages) to
    type. The prompt for a hole has at most ``related_chars`` characters of files that its document imports.
    """

    corpus: Path
    languages: tuple[str, ...] = ("python",)
    holes: int = 100
    bytes: int = 200_000
    seed: int = 0
    related_chars: int = 0
    stretches: int = 0

    def documents(self, corpus: Corpus, language: str) -> list[tuple[str, str, str, str]]:
        """(project, path, language, text) of about ``bytes`` bytes in all, taken from each project in turn."""
        rng = Random(f"{self.seed}/{language}/bits")
        by_project: dict[str, list[int]] = {}
        for index, entry in enumerate(corpus):
            if entry.language == language:
                by_project.setdefault(entry.project, []).append(index)
        for indices in by_project.values():
            rng.shuffle(indices)
        found, size = [], 0
        while size < self.bytes and any(by_project.values()):
            for project in sorted(by_project):
                if by_project[project] and size < self.bytes:
                    index = by_project[project].pop()
                    entry = corpus[index]
                    found.append((project, entry.path, language, corpus.text(index)))
                    size += entry.end - entry.start
        return found


def evaluate_model(plan: Plan, model: str, progress: TaskProgress) -> Contestant:
    """Measure a model: a folder, "bundled" or "large"."""
    corpus = Corpus(plan.corpus)
    result = Contestant(model)
    folder = folder_of(model)
    if plan.bytes:
        scorer = load_scorer(folder, torch.bfloat16)
        for language in plan.languages:
            texts = [(path.rsplit("/", 1)[-1], text) for _, path, _, text in plan.documents(corpus, language)]
            result.bits[language] = corpus_bits(scorer, texts, partial(_report, progress, "bits per byte", len(texts)))
    if plan.holes:
        surroundings = Surroundings(corpus, plan.related_chars) if plan.related_chars else None
        result.marks = _fill_with(model, _snippets(plan, corpus), surroundings, progress)
        _measure_calibration(result)
    return result


def evaluate_baseline(plan: Plan, progress: TaskProgress) -> Contestant:
    """Measure the nested n-gram cache, on the bundled model's tokens."""
    corpus, baseline = Corpus(plan.corpus), baseline_of(plan)
    result = Contestant("nested n-grams")
    for language in plan.languages if plan.bytes else ():
        result.bits[language] = baseline.bits(sorted(plan.documents(corpus, language)))
    snippets = _snippets(plan, corpus) if plan.holes else []
    snippets.sort(key=lambda snippet: (snippet.project, snippet.language, snippet.path))
    result.marks = asyncio.run(fill(snippets, baseline.guesser(), lambda n: progress("n-grams", n, len(snippets))))
    return result


def ablate_model(plan: Plan, model: str, progress: TaskProgress) -> list[AblationRow]:
    """The ablation of a model on the plan's holes."""
    loaded = load_model(model)
    try:
        return ablate(loaded, _snippets(plan, Corpus(plan.corpus)), progress)
    finally:
        asyncio.run(loaded.close())


def _report(progress: TaskProgress, what: str, total: int, done: int) -> None:
    progress(what, done, total)


def stretches_of(plan: Plan, language: str) -> list[Stretch]:
    """The passages to type in a language."""
    return stretches(Corpus(plan.corpus), language, plan.stretches, plan.seed)


def baseline_of(plan: Plan) -> Baseline:
    """The n-grams over the held-out projects, on the bundled model's tokens."""
    return Baseline(Corpus(plan.corpus), load_tokenizer(BUNDLED / "tokenizer.json"))


def _snippets(plan: Plan, corpus: Corpus) -> list[Snippet]:
    return [snippet for language in plan.languages for snippet in sample(corpus, language, plan.holes, plan.seed)]


def _fill_with(
    name: str, snippets: Sequence[Snippet], surroundings: Surroundings | None, progress: TaskProgress
) -> list[Mark]:
    async def run() -> list[Mark]:
        model = load_model(name)
        try:
            return await fill(snippets, with_model(model, surroundings), lambda n: progress("holes", n, len(snippets)))
        finally:
            await model.close()

    return asyncio.run(run())


def _measure_calibration(result: Contestant) -> None:
    """Measure how far the model's own probabilities are from how often it is right, in one-line suggestions."""
    lines = [m for m in result.marks if m.kind is not HoleKind.BLOCK and m.suggested.strip()]
    result.bins = reliability([math.exp(m.logprob) for m in lines], [m.exact for m in lines])
    result.calibration_error = expected_error(result.bins)
