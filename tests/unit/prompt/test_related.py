"""Related code: pieces, imports, the choice, files read from disk, and the key of the completion cache."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.neighbours import Neighbours
from tabspec.ignore import IgnoreRules
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, RelatedText
from tabspec.prompt.imported import MOST_FILES, read_imported
from tabspec.prompt.imports import imported
from tabspec.prompt.pieces import Piece, names, pieces
from tabspec.prompt.related import LEAST_ROOM, MOST_PIECES, Pieces, asked_with
from tabspec.prompt.window import WindowSize, window
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Finish, Source
from tabspec.text import Document

LINES = st.lists(st.sampled_from(["", "def f():", "    x = 1", "        y", "class A:", "}", "\t# tab", "long " * 9]))
CODE = LINES.map("\n".join)


@given(CODE, st.integers(10, 60))
def test_pieces_are_the_document_in_order(text: str, longest: int) -> None:
    found = [piece.text for piece in pieces("a.py", text, longest)]
    assert all(len(piece) <= longest and piece.strip() for piece in found)
    at = 0
    for piece in found:
        at = text.index(piece, at) + len(piece)
    said = [line for piece in found for line in piece.split("\n") if line.strip()]
    assert said == [line for line in text.split("\n") if line.strip() and len(line) <= longest]


def test_pieces_are_definitions() -> None:
    one = "import os\n\n\ndef one():\n    return 1\n"
    two = "\n\nclass Two:\n    def a(self):\n        pass\n\n    def b(self):\n        pass\n"
    assert [piece.text for piece in pieces("a.py", one + two, 45)] == [
        "import os\n\n\ndef one():\n    return 1",
        "class Two:\n    def a(self):\n        pass",
        "    def b(self):\n        pass",
    ]


WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "pad"]), max_size=5).map(" ".join)


@given(st.lists(WORDS, max_size=8), WORDS, WORDS, st.integers(0, 400))
def test_the_chosen_pieces_equal_brute_force(texts: list[str], before: str, behind: str, chars: int) -> None:
    there = [Piece(f"{i}.py", text) for i, text in enumerate(texts)]
    wanted = names(before) | names(behind)

    def worth(piece: Piece) -> float:
        return math.fsum(math.log(1 + len(there) / sum(x in p.names for p in there)) for x in wanted & piece.names)

    best = Pieces(there).best((before, behind), chars)
    assert sum(len(piece.text) for piece in best) <= chars and len(best) <= MOST_PIECES
    assert all(piece in there and piece.names & wanted for piece in best)
    left = [piece for piece in there if piece not in best]
    room = chars - sum(len(piece.text) for piece in best)
    if best and len(best) < MOST_PIECES and room >= LEAST_ROOM:
        assert not any(worth(piece) and len(piece.text) <= room for piece in left)
    if best:
        assert all(worth(best[-1]) >= worth(piece) - 1e-9 for piece in there if len(piece.text) <= chars)
    else:
        assert chars < LEAST_ROOM or not any(worth(piece) and len(piece.text) <= chars for piece in there)


@given(st.lists(st.sampled_from(["value = other(1)\n", "    x\n", "\n"]), max_size=90), st.integers(0, 200), st.data())
def test_the_query_is_unchanged_within_a_line(lines: list[str], behind: int, data: st.DataObject) -> None:
    text = "".join(lines)
    at = data.draw(st.integers(0, len(text)))
    context = EditContext(Document("file:///a.py", text + "s" * behind), at)
    later = context.after_typing(data.draw(st.text(alphabet="ab (", max_size=9)))
    size = WindowSize(400, 100, 130)
    if window(context, size).scope == window(later, size).scope:
        assert asked_with(window(context, size)) == asked_with(window(later, size))


ROOT = PurePosixPath("/w")


@pytest.mark.parametrize(
    ("path", "language", "text", "expected"),
    [
        ("a/b.py", "python", "import os.path", "a/os/path.py"),
        ("a/b.py", "python", "from . import c", "a/c.py"),
        ("a/b.py", "python", "from ..x import (\n    y,\n    z as q,\n)", "x/y.py"),
        ("a/b.py", "python", "from ..x import y as z", "x.py"),
        ("a/b.py", "python", "    from a.d import e", "a/d.py"),
        ("a/b.ts", "typescript", "import { x } from '../c'", "c.ts"),
        ("a/b.ts", "typescript", "import './d.js'", "a/d.ts"),
        ("a/b.js", "javascript", 'const x = require("./e")', "a/e/index.js"),
        ("src/main.rs", "rust", "mod text;", "src/text.rs"),
        ("src/a/b.rs", "rust", "use crate::c::d::E;", "src/c/d.rs"),
        ("src/a.rs", "rust", "pub(crate) mod b;", "src/a/b.rs"),
        ("a/b.c", "c", '#include "b.h"', "a/b.h"),
        ("a/b.c", "c", '#include "b.h"', "a/b.c"),
    ],
)
def test_modules_that_an_import_can_mean(path: str, language: str, text: str, expected: str) -> None:
    found = imported(ROOT / path, text, language, ROOT)
    assert ROOT / expected in [each for paths in found for each in paths]


@given(st.text(alphabet="from .import/\"'{}()acrequs:;\n#*", max_size=60))
def test_no_import_leads_out_of_the_folder(text: str) -> None:
    for language in ("python", "typescript", "rust", "c", "cobol"):
        for paths in imported(ROOT / "a/b.py", text, language, ROOT):
            assert all(path.is_relative_to(ROOT) and ".." not in path.parts for path in paths)
    assert imported(PurePosixPath("/elsewhere/a.py"), "import a", "python", ROOT) == ()


def test_imported_files_are_read_from_disk(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "package").mkdir(parents=True)
    (tmp_path / "outside.py").write_text("SECRET = 1")
    (root / "one.py").write_text("one = 1")
    (root / "package" / "__init__.py").write_text("two = 2")
    (root / "secrets.py").write_text("three = 3")
    (root / "binary.py").write_bytes(b"\xff\xfe\x00")
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    (root / "other.py").symlink_to(root / "secrets.py")
    text = "import one, package\nimport secrets\nimport binary, link, other, missing\nfrom one import main\n"
    document = Document((root / "main.py").as_uri(), text, "python")
    rules = IgnoreRules.read([root])
    found = read_imported(document, [tmp_path / "nothing", root], rules.ignored)
    assert [(each.uri, each.text) for each in found] == [
        ((root / "one.py").as_uri(), "one = 1"),
        ((root / "package" / "__init__.py").as_uri(), "two = 2"),
    ]
    assert read_imported(document, [], rules.ignored) == []
    assert read_imported(Document("untitled:1", text, "python"), [root], rules.ignored) == []
    for number in range(MOST_FILES + 5):
        (root / f"n{number}.py").write_text("x = 1")
    many = Document(document.uri, "".join(f"import n{i}\n" for i in range(MOST_FILES + 5)), "python")
    assert len(read_imported(many, [root], rules.ignored)) == MOST_FILES


class Repeating:
    """Answers with the first line of the related code; counts how often it is asked."""

    info = ModelInfo("repeating", "1", 1000)

    def __init__(self) -> None:
        self.asked: list[GenerationRequest] = []

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        text = request.related[-1].text.split("\n")[0] if request.related else "nothing"
        yield Chunk(text, (1,), (0.0,))
        yield Chunk(finish=Finish.END)

    async def close(self) -> None:
        return None


MAIN = Document("file:///main.py", "import helper\n\n\n# to compute\nx = 1\n\nhelper.compute", "python")
HELPER = Document("file:///helper.py", "def compute(value):\n    return value\n", "python")


def test_the_completion_cache_serves_no_answer_for_other_related_code() -> None:
    async def scenario() -> None:
        model = Repeating()
        engine = CompletionEngine(model, EngineConfig(policy="cache", related_chars=900))
        context = EditContext(MAIN, len(MAIN.text))
        texts = []
        for helper in (None, HELPER, HELPER, Document(HELPER.uri, "async " + HELPER.text, "python"), None):
            if helper:
                engine.neighbours.opened(helper)
            else:
                engine.neighbours.closed(HELPER.uri)
            answer = await engine.complete(context)
            assert answer.suggestion
            texts.append((answer.suggestion.text, answer.source))
        said = ("def compute(value):", "async def compute(value):")
        assert texts == [
            ("nothing", Source.MODEL),
            (said[0], Source.MODEL),
            (said[0], Source.EXACT),
            (said[1], Source.MODEL),
            ("nothing", Source.EXACT),
        ]
        engine.neighbours.opened(Document(MAIN.uri, "compute = 1\ncompute = 2", "python"))
        assert (await engine.complete(context)).source is Source.EXACT, "the document itself is not related to itself"
        await engine.close()

    run_virtual(scenario())


def test_related_code_needs_a_size_above_zero() -> None:
    neighbours = Neighbours(0)
    neighbours.opened(HELPER)
    context = EditContext(MAIN, len(MAIN.text))
    seen = window(context, WindowSize())
    assert neighbours.related(context, seen) == ()
    neighbours.chars = 900
    assert neighbours.related(context, seen) == (RelatedText("helper.py", HELPER.text.strip()),)
    neighbours.imports(MAIN.uri, [Document(HELPER.uri, "# compute, as it is on disk", "python")])
    assert neighbours.related(context, seen)[0].text == HELPER.text.strip(), "what is open counts"
    neighbours.closed(HELPER.uri)
    assert neighbours.related(context, seen)[0].text == "# compute, as it is on disk"
