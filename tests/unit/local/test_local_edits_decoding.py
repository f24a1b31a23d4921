"""The edit model on real decoders with random weights: drafts change no token, and what is kept changes no answer."""

from __future__ import annotations

import asyncio
import math
import random
from pathlib import Path
from shutil import copytree

import pytest

from tabspec.models.decoders.llama_model import load_edits
from tabspec.models.decoders.native_library import NativeMissing, installed
from tabspec.models.edit_protocol import EditRequest, PastEdit
from tabspec.models.files.folder import ModelFolder
from tabspec.models.local.edits.answer import ROOM, AnswerSegment
from tabspec.models.local.edits.places import Place
from tabspec.models.local.edits.scene import Scene
from tabspec.models.local.edits.writer import LocalEdits
from tabspec.models.local.generation import decode
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


async def answered(model: LocalEdits, scene: Scene, place: Place, draft: bool = True) -> AnswerSegment:
    """The answer for a place, decoded with and without the window as the draft."""
    prompts = model.prompts
    old = prompts.copied(scene.lines[place.start : place.stop])
    prompt = prompts.scan(scene).tokens + prompts.answered(scene) + prompts.question(scene.lines, *place[:2])
    segment = AnswerSegment(model.local.vocabulary, old, prompts.same, prompts.end)
    if not draft:
        segment.known_tokens = list  # type: ignore[method-assign,assignment]
    with model.local.slots.hold(prompt) as slot:
        async for _ in decode(model.local, segment, slot, prompt, True):
            pass
    return segment


def greedy(model: LocalEdits, scene: Scene, place: Place) -> list[int]:
    """The answer token by token, each of them from the beginning."""
    prompts, decoder = model.prompts, model.local.decoder
    written: list[int] = []
    most = len(prompts.copied(scene.lines[place.start : place.stop])) + ROOM
    prompt = prompts.scan(scene).tokens + prompts.answered(scene) + prompts.question(scene.lines, *place[:2])
    kv = decoder.new_kv()
    row = decoder.forward(kv, list(prompt), 1)[0]
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
        place = Place(start, min(start + 3, len(scene.lines)), 0.5, start)
        expected = greedy(model, scene, place)
        for draft in (True, False):
            found = asyncio.run(answered(model, scene, place, draft))
            assert found.tokens == expected
        model.local.slots = Slots(model.local.decoder, 3)
        fresh = asyncio.run(answered(model, scene, place))
        assert fresh.tokens == expected
        assert math.isclose(fresh.same_probability, found.same_probability, abs_tol=1e-4)


def test_tags_do_not_depend_on_what_was_kept(model: LocalEdits) -> None:
    rng = random.Random(7)
    requests = [some_request(rng) for _ in range(4)]

    async def read(request: EditRequest) -> list[float]:
        found = await model.tags_of(model.prompts.scenes.scenes(request)[0])
        return [number for _, tag in sorted(found.items()) for number in tag]

    kept = [asyncio.run(read(request)) for request in [*requests, *requests]]
    for request, first, again in zip(requests, kept, kept[4:], strict=False):
        assert first == again
        model.local.slots.clear()
        model._tags.clear()
        model.local.chunk = rng.choice((5, 50, 500))
        assert asyncio.run(read(request)) == pytest.approx(first, abs=1e-4)
