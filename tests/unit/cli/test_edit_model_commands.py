"""`tabspec evaluate --next-edit` and `tabspec doctor` with a server whose model writes edits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tabspec.cli.main import run
from tests.stub_server import Reply, Request, Stub, llama_cpp, openai_events, running

TEXT = "def total(items):\n    return sum(item)\n"
CASE = {
    "id": "a/1", "language": "python", "path": "shop.py", "text": TEXT, "cursor": [1, 15], "expected": None,
    "history": [{"path": "shop.py", "old": "def total(item):", "new": "def total(items):"}],
}  # fmt: skip


# The same without a rename from which a pattern would propose anything.
NOVEL = CASE | {
    "text": TEXT.replace("item)", "basket)"),
    "history": [{"path": "shop.py", "old": "", "new": "def total(items):"}],
}


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with running(llama_cpp(Stub(), "sweep-next-edit-1.5b.gguf")) as started:
        yield started


def rewriting(stub: Stub, old: str, new: str) -> None:
    """The server writes the current region with ``old`` replaced."""

    async def answer(request: Request, reply: Reply) -> None:
        current = request.body["prompt"].rpartition("<|file_sep|>current/")[2]
        region = current.partition("\n")[2].partition("<|file_sep|>")[0]
        await reply.events(*openai_events(region.replace(old, new)))

    stub.routes["/v1/completions"] = answer


async def evaluate(tmp_path: Path, cases: list[dict[str, Any]], *more: str) -> tuple[int, list[dict[str, Any]]]:
    given, out = tmp_path / "cases.jsonl", tmp_path / "out.jsonl"
    given.write_text("".join(json.dumps(case) + "\n" for case in cases))
    code = await asyncio.to_thread(
        run, ["evaluate", "--next-edit", str(given), "--predictions", str(out), "--model", "none", *more]
    )
    return code, [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


async def test_the_edit_that_the_model_writes_is_offered(stub: Stub, tmp_path: Path) -> None:
    rewriting(stub, "basket", "items")
    code, offers = await evaluate(tmp_path, [NOVEL], "--edit-model", stub.url)
    assert code == 0
    assert offers[0]["text"] == TEXT.replace("item)", "items)") and offers[0]["source"] == "model 0.50"
    (asked,) = stub.asked("/v1/completions")
    assert asked.body["prompt"].endswith("<|file_sep|>updated/shop.py:2:4\n")
    assert "original:\nupdated:\ndef total(items):\n" in asked.body["prompt"]


async def test_a_pattern_comes_first_and_without_an_edit_the_model_is_not_asked(stub: Stub, tmp_path: Path) -> None:
    rewriting(stub, "item", "nothing_of_the_kind")
    code, offers = await evaluate(tmp_path, [CASE, CASE | {"history": []}], "--edit-model", stub.url)
    assert code == 0 and not stub.asked("/v1/completions")
    assert offers[0]["source"].startswith("rename") and offers[1]["text"] is None


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("sweep-next-edit", "no address"),
        ("http://127.0.0.1:9", "no server answers"),
    ],
)
async def test_a_model_that_cannot_be_asked_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, said: str
) -> None:
    code, offers = await evaluate(tmp_path, [CASE], "--edit-model", model)
    printed = capsys.readouterr().err
    assert code in (1, 2) and offers == [] and said in printed and printed.count("\n") == 1


async def test_a_model_that_fails_is_no_silence(stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"error": {"message": "out of memory"}}, 500)

    stub.routes["/v1/completions"] = answer
    code, offers = await evaluate(tmp_path, [NOVEL], "--edit-model", stub.url)
    assert code == 1 and offers == [] and "out of memory" in capsys.readouterr().err


async def test_doctor_shows_the_request_for_an_edit(
    stub: Stub, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "shop.py"
    file.write_text(TEXT)
    place = ["--file", str(file), "--line", "2", "--column", "16"]
    code = await asyncio.to_thread(run, ["doctor", *place, "--edit-model", stub.url])
    printed = capsysbinary.readouterr().out
    assert code == 0 and b"this machine: nothing leaves it" in printed
    body = json.loads(printed.splitlines()[-1])
    assert body["prompt"].endswith(f"<|file_sep|>current/shop.py:2:4\n{TEXT}<|file_sep|>updated/shop.py:2:4\n")
    assert not stub.asked("/v1/completions")


async def test_doctor_leaves_an_ignored_file_alone(
    stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / ".env"
    file.write_text("KEY=1\n")
    place = ["--file", str(file), "--line", "1", "--column", "1"]
    assert await asyncio.to_thread(run, ["doctor", *place, "--edit-model", stub.url]) == 2
    assert "KEY=1" not in "".join(capsys.readouterr()) and not stub.seen


def test_doctor_names_what_a_server_elsewhere_gets(capsys: pytest.CaptureFixture[str]) -> None:
    address = "https://model.invalid#zeta-2"
    run(["doctor", "--edit-model", address])
    shown = " ".join(capsys.readouterr().out.split())
    assert "and for next edits to https://model.invalid" in shown and "characters of your last edits" in shown
    file = ["--file", __file__, "--line", "1", "--column", "1"]
    run(["doctor", *file, "--edit-model", address])
    shown = capsys.readouterr().out
    assert "sent to another machine with each request like this one" in shown and "<[fim-middle]>" in shown


def test_doctor_refuses_an_edit_model_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--edit-model", "bundeld"]) == 2
    assert "or use auto, off, bundled" in capsys.readouterr().err
