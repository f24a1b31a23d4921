"""What SECURITY.md promises about servers on other machines."""

from __future__ import annotations

from contextlib import aclosing

import httpx
import pytest

from tabspec.errors import ModelError
from tabspec.models.http import HttpModel
from tabspec.models.http.secrets import secret_in
from tabspec.models.protocol import GenerationRequest, RelatedText
from tests.tools import REPOSITORY

SECRETS = [
    'aws_key = "AKIAIOSFODNN7EXAMPLE"',
    'password = "correct-horse-battery"',
    "-----BEGIN RSA PRIVATE KEY-----",
    'token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"',
    'url = "postgres://user:s3cr3tpw@db.internal/x"',
    "x = 1; " * 600 + 'k = "AKIAIOSFODNN7EXAMPLE"',
]


@pytest.mark.parametrize("line", SECRETS)
def test_secrets_are_found(line: str) -> None:
    assert secret_in([f"import os\n{line}\n"])


def test_ordinary_code_holds_no_secrets() -> None:
    sources = sorted((REPOSITORY / "tests" / "fixtures" / "code" / "engine").glob("*.py"))
    assert sources and not [source.name for source in sources if secret_in([source.read_text("utf-8")])]
    assert not secret_in(["self.password = password", 'key = os.environ["API_KEY"]', 'digest = "da39a3ee5e6b4b0d3255"'])


class Recorder(httpx.AsyncBaseTransport):
    """Answers nothing, and keeps what was to be sent."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        raise httpx.ConnectError("no network in tests")


@pytest.mark.parametrize("where", ["head", "forced", "suffix", "resume", "related"])
async def test_a_secret_is_not_sent_off_the_machine(where: str) -> None:
    secret = '\nkey = "AKIAIOSFODNN7EXAMPLE"'
    texts = {name: secret if name == where else "" for name in ("head", "forced", "suffix", "resume")}
    related = (RelatedText("b.py", secret),) if where == "related" else ()
    recorder = Recorder()
    model = HttpModel("https://llm.example.com#qwen2.5-coder", key="", transport=recorder)
    with pytest.raises(ModelError, match="not sent"):
        async with aclosing(model.stream(GenerationRequest(**texts, related=related))) as chunks:
            await anext(chunks)
    assert not recorder.sent
    with pytest.raises(ModelError, match="no server answers"):
        async with aclosing(model.stream(GenerationRequest("x = 1", "\ny", ""))) as chunks:
            await anext(chunks)
    assert recorder.sent, "what holds no secret is asked, and no pause was begun"
    await model.close()
