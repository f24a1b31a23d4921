"""The edit model on real decoders with random weights: drafts change no token, and what is kept changes no answer."""

from __future__ import annotations

import asyncio
import random
from array import array
from pathlib import Path
from shutil import copytree

import pytest

from tabspec.models.decoders.llama_model import load_edits
from tabspec.models.decoders.native_library import NativeMissing, installed
from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.files.folder import ModelFolder
from tabspec.models.local.edits.answer import ROOM, AnswerSegment
from tabspec.models.local.edits.changes import LineChange
from tabspec.models.local.edits.places import EditPlace
from tabspec.models.local.edits.scene import Scene
from tabspec.models.local.edits.writer import LocalEdits
from tabspec.models.local.generation import decode
from tabspec.models.local.logits import logsumexp
from tabspec.models.local.slots import Slots
from tests import tiny
from tests.edit_decoder import OURS_PIECES, SPECIAL
from tests.examples import examples

# In float32, where a sum depends so little on how many tokens are run at a time that no other token wins. The compiled
# decoder's numbers do not depend on it at all.
DTYPES = {"torch": "float32", "compiled": "auto", "in four bits": tiny.steady_dtype()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = tiny.byte_level(SPECIAL, OURS_PIECES)
    return tiny.save_model(tmp_path_factory.mktemp("edits"), tokenizer, seed=3, max_position_embeddings=2048)


def kinds() -> list[str]:
    try:
        installed()
    except NativeMissing:
        return ["torch", "in four bits"]
    return list(DTYPES)


@pytest.fixture(scope="module", params=kinds())
def model(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalEdits:
    if request.param == "in four bits":
        folder = tiny.in_four_bits(Path(copytree(folder, tmp_path_factory.mktemp("four") / "model")))
    return load_edits(ModelFolder(folder), "tiny", device="cpu", dtype=DTYPES[request.param])


def some_request(rng: random.Random, accepted: int = 0) -> EditRequest:
    lines = [
        rng.choice(["def f(a):", "    return a", "", "    b = foo(a)", "x = {1: 2}", "class C:"]) for _ in range(25)
    ]
    history = [PastEdit("a.py", rng.randrange(20), "old = 1\n", "new = 1\n")]
    for _ in range(accepted):
        at = rng.randrange(len(lines))
        history.append(PastEdit("a.py", at, "gone = 2\n", lines[at] + "\n", accepted=True, proposed=True))
    return EditRequest("a.py", "python", "", "\n".join(lines) + "\n", "", 0, 0, "", tuple(history))


def place_prompt(model: LocalEdits, scene: Scene, place: EditPlace) -> array[int]:
    """The prompt that ends with the question about a place."""
    prompts = model.prompts
    return prompts.scan(scene).tokens + prompts.answered(scene) + prompts.question(scene.lines, *place[:2])


async def answered(model: LocalEdits, scene: Scene, place: EditPlace, draft: bool = True) -> AnswerSegment:
    """The answer for a place, decoded with and without the window as the draft."""
    prompts = model.prompts
    old = prompts.copied(scene.lines[place.start : place.stop])
    prompt = place_prompt(model, scene, place)
    segment = AnswerSegment(model.local.vocabulary, old, prompts.same, prompts.end)
    if not draft:
        segment.known_tokens = list  # type: ignore[method-assign,assignment]
    with model.local.slots.hold(prompt) as slot:
        async for _ in decode(model.local, segment, slot, prompt, True):
            pass
    return segment


def greedy(model: LocalEdits, scene: Scene, place: EditPlace) -> list[int]:
    """The answer token by token, each of them from the beginning."""
    prompts, decoder = model.prompts, model.local.decoder
    written: list[int] = []
    most = len(prompts.copied(scene.lines[place.start : place.stop])) + ROOM
    kv = decoder.new_kv()
    row = decoder.forward(kv, list(place_prompt(model, scene, place)), 1)[0]
    while len(written) < most:
        written.append(int(row.argmax()))
        if written[-1] in model.local.vocabulary.control:
            break
        row = decoder.forward(kv, written[-1:], 1)[0]
    return written


@pytest.mark.parametrize("seed", range(examples(6)))
def test_drafts_and_kept_keys_change_no_token(model: LocalEdits, seed: int) -> None:
    rng = random.Random(seed)
    for accepted in (0, 1, 2):
        scene = next(iter(model.prompts.scenes.scenes(some_request(rng, accepted))))
        assert scene is not None
        start = rng.randrange(len(scene.lines))
        place = EditPlace(start, min(start + 3, len(scene.lines)), 0.5, start)
        expected = greedy(model, scene, place)
        for draft in (True, False):
            found = asyncio.run(answered(model, scene, place, draft))
            assert found.tokens == expected
        model.local.slots = Slots(model.local.decoder, 3)
        fresh = asyncio.run(answered(model, scene, place))
        assert fresh.tokens == expected
        assert fresh.logprobs == pytest.approx(found.logprobs, abs=1e-4)


@pytest.mark.parametrize("seed", range(examples(6)))
def test_a_given_answer_is_as_likely_as_token_by_token(model: LocalEdits, seed: int) -> None:
    """Brute force: a pass for each token, from an empty cache. What was written at this place before changes nothing,
    and after it the model writes what it would have written."""
    rng = random.Random(seed)
    prompts, decoder = model.prompts, model.local.decoder
    scene = model.prompts.scenes.scenes(some_request(rng, seed % 2))[0]
    start = rng.randrange(len(scene.lines) - 3)
    place = EditPlace(start, start + 3, 0.5, start)
    change = LineChange(scene.first + start + 1, scene.first + start + 2, ("    new = 7", "x = {}")[: seed % 3])
    given = prompts.copied(change.apply(scene.lines)[start : start + 2 + len(change.new)])
    expected, kv = [], decoder.new_kv()
    row = decoder.forward(kv, list(place_prompt(model, scene, place)), 1)[0]
    for token in given:
        expected.append(float(row[token]) - logsumexp(row))
        row = decoder.forward(kv, [token], 1)[0]
    before = asyncio.run(answered(model, scene, place)) if seed % 2 else None
    found, cost = asyncio.run(model.score(scene, place, change, True))
    assert found == pytest.approx(expected, abs=1e-4)
    assert before is None or cost.prefill <= 1
    assert asyncio.run(answered(model, scene, place)).tokens == greedy(model, scene, place)


def test_tags_do_not_depend_on_what_was_kept(model: LocalEdits) -> None:
    rng = random.Random(7)
    requests = [some_request(rng) for _ in range(4)]

    async def read(request: EditRequest) -> list[float]:
        found, _ = await model._read(model.prompts.scan(model.prompts.scenes.scenes(request)[0]), True)
        return [number for _, tag in sorted(found.items()) for number in tag]

    kept = [asyncio.run(read(request)) for request in [*requests, *requests]]
    for request, first, again in zip(requests, kept, kept[4:], strict=False):
        assert first == again
        model.local.slots.clear()
        model._tags.clear()
        model.local.chunk = rng.choice((5, 50, 500))
        assert asyncio.run(read(request)) == pytest.approx(first, abs=1e-4)
