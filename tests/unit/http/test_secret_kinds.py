"""How many kinds of planted secrets are found: whole, with the cursor in them, cut by the window, and being typed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tabspec.context import EditContext
from tabspec.engine.prompt_state import PromptState
from tabspec.models.http.secrets import find_secret
from tabspec.models.http.secrets.find import secret_in_request
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import WindowSize
from tabspec.replay.sessions.session import EditEvent
from tabspec.replay.sessions.session_file import read_session
from tabspec.text import Document
from tests.secret_kinds import KINDS, Made
from tests.tools import REPOSITORY

CODE = "import os\n\n\ndef total(items):\n    return sum(items)\n\n\n"
BEHIND = "\n\n\ndef mean(items):\n    return total(items) / len(items)\n"
# Each of the values is made up anew for each seed.
SEEDS = range(3)
IDS = [name for name, _, _ in KINDS]


def planted(number: int, seed: int) -> tuple[str, str, str, str]:
    """The file's name, the text before the secret, the secret, and the text behind it."""
    _, file, make = KINDS[number]
    before, secret, after = make(Made(1000 * number + seed))
    return file, CODE + before, secret, after + BEHIND


def test_the_kinds_of_secrets_are_many_and_differ() -> None:
    assert len(set(IDS)) == len(KINDS) >= 81


@pytest.mark.parametrize("number", range(len(KINDS)), ids=IDS)
def test_a_whole_secret_is_found(number: int) -> None:
    for seed in SEEDS:
        file, before, secret, after = planted(number, seed)
        assert find_secret(before + secret + after, name=file), secret


@pytest.mark.parametrize("number", range(len(KINDS)), ids=IDS)
def test_it_is_found_with_the_cursor_in_it(number: int) -> None:
    for seed in SEEDS:
        file, before, secret, after = planted(number, seed)
        for cut in {1, len(secret) // 3, len(secret) // 2, len(secret) - 1, len(secret)}:
            assert find_secret(before + secret[:cut], secret[cut:] + after, name=file), (secret, cut)


@pytest.mark.parametrize("number", range(len(KINDS)), ids=IDS)
def test_it_is_found_where_the_window_cuts_it(number: int) -> None:
    """The window starts in the secret, or ends in it; the caller has the rest."""
    for seed in SEEDS:
        file, before, secret, after = planted(number, seed)
        cut = len(secret) // 2
        assert find_secret(secret[cut:] + after, before=before + secret[:cut], name=file), secret
        assert find_secret(before, secret[:cut], after=secret[cut:] + after, name=file), secret


def test_the_text_around_the_secrets_is_not_a_secret() -> None:
    for number, (name, file, make) in enumerate(KINDS):
        assert not find_secret(CODE + BEHIND, name=file)
        before, _, after = make(Made(number))
        after = after.replace(" psql", "\npsql")  # `NAME= value` is an assignment in many types of files
        if "://" not in before + after and "BEGIN" not in before and "PuTTY" not in before:
            assert not find_secret(CODE + before, after + BEHIND, name=file), name


def test_a_secret_outside_the_window_is_not_reported() -> None:
    """It is not sent, and neither is a part of it."""
    far = 'key = "' + "AKIA" + "QX7" * 5 + 'Z"\n'
    assert find_secret(far)
    for between in ("y = 2\n", CODE):  # near enough to be searched with it, and farther
        assert not find_secret(CODE, BEHIND, before=far + between, after=between + far)


@pytest.mark.parametrize("password", ["pa$$w0rd9", "Tr0ub(4dor", "!Secret9x", "#1horse9", "a b", "p@ss:w/rd"])
def test_passwords_that_look_like_other_text_are_found(password: str) -> None:
    assert find_secret(f'password = "{password}"', name="a.py"), password
    assert find_secret("passphrase = 'correct horse battery staple'", name="a.py")


@pytest.mark.parametrize("text", ["\ud800", "password: x\udfffhorse9", "\U0001f600" * 3])
def test_strange_texts_raise_nothing(text: str) -> None:
    for name in ("a.py", "a.yaml", "", "\ud800"):
        found = find_secret(text, "\ud83d", before="\udc00", after="\ude00", name=name)
        assert bool(found) is (name not in ("a.py", "") and "horse" in text)


HOSTILE = [
    "a",
    "/",
    "secret",
    "api_key",
    "password=",
    "https://a:",
    "curl -u ",
    "eyJ",
    "key ",
    "<password",
    "-----BEGIN ",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_every_text_is_searched_quickly(part: str) -> None:
    """The search is linear: with detect-secrets' rules for names, a line of "secret" took 3 s for 2,000 characters."""
    find_secret(part * (20_000 // len(part)), name="a.yaml")


# --- long keys without their heads ------------------------------------------------------------------------------------

LONG: list[Callable[[Made], str]] = [
    lambda made: made.lines(40),
    lambda made: made.lines(40, 70),
    lambda made: made.lines(40, 76),
    lambda made: made.b64(3000),
    lambda made: made.hex(1000),
    lambda made: 'K = (\n    "' + '"\n    "'.join(made.lines(40).split("\n")) + '"\n)\n',
]


@pytest.mark.parametrize("make", LONG)
def test_the_middle_of_a_long_key_is_found(make: Callable[[Made], str]) -> None:
    for seed in range(20):
        key = make(Made(seed))
        middle = key[len(key) // 3 : len(key) // 3 + 400]
        assert find_secret(middle)
        assert find_secret(middle[:200], middle[200:])


def test_a_window_in_a_private_key_is_known_by_the_text_before_it() -> None:
    before = "-----BEGIN PRIVATE KEY-----\n" + "short lines\n" * 400
    assert find_secret("short lines\n" * 5, before=before)
    assert not find_secret("short lines\n" * 5, before=before + "-----END PRIVATE KEY-----\n")
    request = GenerationRequest("short lines\n", "", "", before=before)
    assert secret_in_request(request) == "private key"


@pytest.mark.parametrize(
    "text",
    [
        '"integrity": "sha512-' + Made(1).b64(86) + '=="',
        "sha256 = '" + Made(2).hex(64) + "'",
        "url(data:image/png;base64," + Made(3).b64(400) + ")",
        "https://example.org/" + "some/path/with/Words/and/Numbers1/" * 4,
        "thisIsAVeryLongNameOfAFunctionThatDoesSomethingWithTheFirst2ItemsOfAList()",
    ],
)
def test_text_that_resembles_a_part_of_a_key_is_no_secret(text: str) -> None:
    assert not find_secret(text, name="a.ts")


# --- key by key -------------------------------------------------------------------------------------------------------

TYPED = [
    ("a.py", 'password = "', '"'),
    ("a.py", 'connect(password="', '")'),
    ("a.ts", "const dbPassword: string = '", "';"),
    ("a.js", "{ apiKey: '", "' }"),
    ("a.rs", 'let passphrase = "', '";'),
    ("a.yaml", "password: ", ""),
    ("a.yaml", "  client_secret: '", "'"),
    ("run.sh", "export DB_PASSWORD=", ""),
    ("app.ini", "api_key = ", ""),
    ("Dockerfile", "ENV TOKEN_SECRET=", ""),
]


@pytest.mark.parametrize(("file", "before", "closed"), TYPED)
def test_a_password_is_found_from_its_first_character_on(file: str, before: str, closed: str) -> None:
    password = "Tr0ub4dor-lamp"
    assert not find_secret(CODE + before, closed + BEHIND, name=file), "there is none yet"
    for count in range(1, len(password) + 1):
        for behind in {closed, ""}:  # editors close quotes by themselves, or do not
            assert find_secret(CODE + before + password[:count], behind + BEHIND, name=file), password[:count]


def test_a_key_is_found_four_characters_after_its_prefix() -> None:
    for prefix in ("ghp_", "sk-proj-", "AKIA", "glpat-", "xoxb-", "hf_"):
        assert find_secret(CODE + f'x = "{prefix}4Xk9', '"' + BEHIND, name="a.py"), prefix


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.ts", "if (token === 'ident"),
        ("a.ts", "password: string"),
        ("a.py", "password = getpass.getp"),
        ("a.py", 'key_name = "prim'),
        ("a.py", "self.password = pass"),
        ("a.yaml", "password: ${DB_PASS"),
        ("a.yaml", "secretName: my-tls"),
        ("a.yaml", "password: {{ .Values.p"),
        ("run.sh", "PASSWORD=$1"),
        ("run.sh", 'TOKEN="$(pass show x'),
        ("README.md", "Set the password: it is need"),
    ],
)
def test_references_and_names_are_no_secrets(file: str, text: str) -> None:
    assert not find_secret(CODE + text, BEHIND, name=file)


# --- false alarms -----------------------------------------------------------------------------------------------------

SESSIONS = REPOSITORY / "tabspec" / "replay" / "sessions"
SIZE = WindowSize(2300, 640, 766)  # the engine's by default


def requests(path: Path) -> list[GenerationRequest]:
    """A request at each place of a session where something was typed."""
    session = read_session(path)
    document = Document(session.uri, session.text, session.language, 1)
    found = []
    for event in session.events:
        if isinstance(event, EditEvent) and event.edits:
            for edit in event.edits:
                document = document.edited(edit)
            context = EditContext(document, event.edits[-1].end)
            found.append(PromptState.of(context, SIZE, "model").request(StopRule()))
    return found


@pytest.mark.slow
def test_false_alarms_in_the_shipped_sessions() -> None:
    asked = alarms = 0
    for path in sorted(SESSIONS.glob("*.jsonl.gz")):
        if ".side." in path.name:
            continue
        found = requests(path)
        found = random.Random(path.name).sample(found, min(len(found), 400))
        asked += len(found)
        alarms += sum(bool(secret_in_request(request)) for request in found)
    assert asked >= 1_000 and alarms <= asked / 1_000


@pytest.mark.slow
def test_false_alarms_in_this_project() -> None:
    """Windows of files that are no tests of secrets, of several types."""
    files = [
        *(REPOSITORY / "tabspec").rglob("*.py"),
        *(REPOSITORY / "lsp").rglob("*.py"),
        *(REPOSITORY / "docs").rglob("*.md"),
    ]
    files += [
        REPOSITORY / "Makefile",
        REPOSITORY / "pyproject.toml",
        REPOSITORY / "README.md",
        *(REPOSITORY / "scripts").glob("*.py"),
    ]
    choice = random.Random(1)
    asked = alarms = 0
    for path in sorted(each for each in files if "secrets" not in each.parts):
        text = path.read_text("utf-8")
        for _ in range(2):
            at = choice.randrange(len(text) + 1)
            asked += 1
            found = find_secret(text[max(at - 2300, 0) : at], text[at : at + 640], name=path.name)
            alarms += found is not None
    assert asked > 400 and alarms <= asked / 1_000
