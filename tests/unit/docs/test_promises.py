"""SECURITY.md: one rule for all ways that text can take, what would be sent is what is sent, and no promise without
its test."""

from __future__ import annotations

import ast
import re
import subprocess
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from tabspec_lsp.service import CompletionService
from tabspec_lsp.state.documents import ContentChange
from tabspec_lsp.state.recorder import Recorder

from tabspec.cli.files import read_document
from tabspec.cli.main import run
from tabspec.errors import InputError, ModelError
from tabspec.ignore import FILE_NAME, IgnoreRules
from tabspec.lab.converters.git import import_git
from tabspec.models.http import HttpModel
from tabspec.models.protocol import GenerationRequest, RelatedText, StopRule
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.sessions.session_file import read_session
from tabspec.text import Document, Position
from tests.stub_server import Reply, Request, Stub, llama_cpp, openai_events, running, vllm
from tests.tools import REPOSITORY

SECRET = "password_of_everything"


# --- one rule for prompts, related code, recordings and reports -------------------------------------------------------


@pytest.fixture(params=[".env", "deploy.key", "own/table.sql"])
def secret_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file that the built-in rules name, or the folder's own."""
    (tmp_path / FILE_NAME).write_text("*.sql\n")
    path = tmp_path / str(request.param)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"x = {SECRET}\n")
    return path


def test_ignored_files_are_in_no_prompt_of_the_command_line(
    secret_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["complete"], ["doctor", "--model", "http://127.0.0.1:9", "--file"]):
        assert run([*command, str(secret_file), "--line", "1", "--column", "2"]) == 2
    said = capsys.readouterr()
    assert said.err.count("ignore rules name it") == 2 and SECRET not in said.out + said.err
    link = tmp_path / "innocent.py"
    link.symlink_to(secret_file)
    with pytest.raises(InputError, match="ignore rules"):
        read_document(link, 1000)


class _Listener:
    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def test_ignored_files_are_in_no_prompt_or_recording_of_the_language_server(
    secret_file: Path, tmp_path: Path
) -> None:
    model, recordings = ScriptedModel({}), tmp_path / "recordings"

    async def opened(*_: object) -> ScriptedModel:
        return model

    rules = IgnoreRules.around(secret_file)
    service = CompletionService(opened, _Listener(), rules.ignored, Recorder(recordings))
    service.configure(service.options)
    await service.host.settled()
    for path in (secret_file, tmp_path / "plain.py"):
        uri = path.as_uri()
        service.opened(Document(uri, f"x = {SECRET}\n", "python"))
        service.changed(uri, 2, [ContentChange(f"y = {SECRET}\n")])
        await service.complete(uri, Position(0, 3))
    await service.close()
    assert [request.path for request in model.requests] == ["plain.py"], "the control is asked for, and it alone"
    recorded = sorted(recordings.glob("*.jsonl"))
    assert len(recorded) == 1 and "plain.py" in recorded[0].name


def test_ignored_files_are_in_no_session_or_report(
    secret_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session of such a file that comes from elsewhere is not replayed: no report can show its text."""
    session = tmp_path / "s.jsonl"
    header = '{"format": "tabspec-session", "version": 1, "source": "x", "licence": "", "language": "", "uri": "%s", '
    session.write_text(header % "file:///home/me/.env" + f'"text": "{SECRET}"}}\n')
    with pytest.raises(InputError, match="ignore rules"):
        read_session(session)
    assert run(["replay", str(session)]) == 2
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err


def test_ignored_files_are_in_no_imported_history(secret_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-Af"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], check=True)
    names = {session.uri.rpartition("/")[2] for session in import_git(tmp_path, "*")}
    assert names == {"a.py", FILE_NAME}
    with pytest.raises(InputError, match="left alone"):
        import_git(tmp_path, secret_file.relative_to(tmp_path).as_posix())


# --- what would be sent -----------------------------------------------------------------------------------------------

ASKED = GenerationRequest(
    "def f(x):", "\n    ret", "\n\nf(1)\n", "a.py", related=(RelatedText("b.py", "z = 1"),), stop=StopRule(1, 20)
)


@pytest.mark.parametrize("kind", [llama_cpp, vllm])
@pytest.mark.parametrize("option", ["", "?exact=off"])
async def test_the_shown_request_is_the_sent_one(kind: Any, option: str) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*openai_events("\n    ret" if "exact" not in option and kind is llama_cpp else "", "urn"))

    async with running(kind(Stub())) as stub:
        stub.routes["/v1/completions"] = answer
        model = HttpModel(stub.url + option)
        await model.connect()
        before = len(stub.seen)
        shown = model.preview(ASKED)
        assert len(stub.seen) == before, "nothing is sent for it"
        async with aclosing(model.stream(ASKED)) as chunks:
            async for _ in chunks:
                pass
        sent = stub.asked("/v1/completions")[0]
        assert (shown.url, shown.data) == (stub.url + sent.path, sent.data)
        assert shown.route.here and shown.sent and not shown.key.value
        await model.close()


class _Kept(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        raise httpx.ConnectError("no network in tests")


@pytest.mark.parametrize("where", ["head", "suffix", "related"])
async def test_the_printed_verdict_is_what_happens(where: str) -> None:
    secret = 'key = "AKIAIOSFODNN7EXAMPLE"'
    related = (RelatedText("b.py", secret),) if where == "related" else ()
    head, suffix = (secret if where == name else "" for name in ("head", "suffix"))
    kept = _Kept()
    model = HttpModel("https://llm.example.com#qwen2.5-coder", key="k", transport=kept)
    for asked, sent in ((GenerationRequest(head, "", suffix, related=related), False), (ASKED, True)):
        shown = model.preview(asked)
        assert (shown.sent, bool(shown.secret), shown.route.here, shown.key.value) == (sent, not sent, False, "k")
        with pytest.raises(ModelError):
            await anext(model.stream(asked))
        assert bool(kept.sent) is sent
    await model.close()


def test_doctor_shows_the_body_and_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.py"
    file.write_text("def f(x):\n    ret\n")
    arguments = ["doctor", "--file", str(file), "--line", "2", "--column", "8"]
    assert run([*arguments, "--model", "http://127.0.0.1:9#qwen2.5-coder"]) == 0
    said = capsys.readouterr().out
    assert (
        "http://127.0.0.1:9/v1/completions" in said
        and "nothing leaves it" in said
        and "<|fim_middle|>" in said
        and "directly" in said
    )
    assert run(arguments) == 0 and "nothing would leave" in capsys.readouterr().out
    assert run(arguments[:-2]) == 2


# --- TLS and proxies --------------------------------------------------------------------------------------------------


async def test_certificates_are_verified_and_proxies_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "internal.example.com")
    models = [HttpModel(f"https://{host}.example.com", key="") for host in ("internal", "llm")]
    direct, proxied = (model.wire._client._transport for model in models)
    assert isinstance(direct, httpx.AsyncHTTPTransport) and isinstance(proxied, httpx.AsyncHTTPTransport)
    assert type(proxied._pool).__name__ == "AsyncHTTPProxy" and type(direct._pool).__name__ != "AsyncHTTPProxy"
    for transport in (direct, proxied):
        context = transport._pool._ssl_context
        assert context is not None and context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    for model in models:
        await model.close()


# --- no promise without its test --------------------------------------------------------------------------------------


def test_the_tests_that_security_names_are_there() -> None:
    rows = [
        line.split("|")[1:-1]
        for line in (REPOSITORY / "SECURITY.md").read_text("utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| promise")
    ]
    assert len(rows) >= 10
    for promise, tests in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        assert named, f"no test is named for: {promise.strip()}"
        for file, function in named:
            assert function in _functions(REPOSITORY / file), f"{file} has no {function}"


@cache
def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
