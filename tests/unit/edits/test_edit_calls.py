"""A function's parameters changed: what is proposed at its calls."""
# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.edits.proposals.brackets import closing, elements
from tabspec.edits.proposals.counterparts.signatures import signatures
from tests.edit_steps import shown

REORDERED = {
    "mail.py": (
        "def send(to, subject, body):\n    post(to, subject, body)\n\nsend('a@b', subject_of(x, y), 'hi')\n",
        ("def send(to, subject, body):\n", "def send(subject, to, body):\n"),
        "send(subject_of(x, y), 'a@b', 'hi')\n",
    ),
    "mail.ts": (
        "function send(to: string, retries: number) {\n  post(to);\n}\n\nsend('a', 3);\n",
        ("function send(to: string, retries: number) {\n", "function send(retries: number, to: string) {\n"),
        "send(3, 'a');\n",
    ),
    "mail.go": (
        'package m\n\nfunc send(to string, n int) {\n\tpost(to)\n}\n\nfunc all() {\n\tsend("a", f(1, 2))\n}\n',
        ("func send(to string, n int) {\n", "func send(n int, to string) {\n"),
        '\tsend(f(1, 2), "a")\n',
    ),
    "mail.rs": (
        'fn send(to: &str, n: u32) {\n    post(to);\n}\n\nfn all() {\n    send("a", 3);\n}\n',
        ("fn send(to: &str, n: u32) {\n", "fn send(n: u32, to: &str) {\n"),
        '    send(3, "a");\n',
    ),
    "Mail.java": (
        'class Mail {\n    void send(String to, int n) {\n        post(to);\n    }\n\n    void all() {\n        send("a", 3);\n    }\n}\n',
        ("    void send(String to, int n) {\n", "    void send(int n, String to) {\n"),
        '        send(3, "a");\n',
    ),
    "mail.cpp": (
        'void send(std::string to, int n) {\n    post(to);\n}\n\nvoid all() {\n    send("a", 3);\n}\n',
        ("void send(std::string to, int n) {\n", "void send(int n, std::string to) {\n"),
        '    send(3, "a");\n',
    ),
    "mail.kt": (
        'fun send(to: String, n: Int) {\n    post(to)\n}\n\nfun all() {\n    send("a", 3)\n}\n',
        ("fun send(to: String, n: Int) {\n", "fun send(n: Int, to: String) {\n"),
        '    send(3, "a")\n',
    ),
    "mail.php": (
        "<?php\nfunction send(string $to, int $n) {\n    post($to);\n}\n\nsend('a', 3);\n",
        ("function send(string $to, int $n) {\n", "function send(int $n, string $to) {\n"),
        "send(3, 'a');\n",
    ),
}


@pytest.mark.parametrize("name", REORDERED)
def test_arguments_follow_the_parameters(name: str):
    before, step, call = REORDERED[name]
    assert shown(before, step, name=name).endswith(call) or call in shown(before, step, name=name)


REMOVED = {
    "a.py": (
        "def load(path, mode, strict=False):\n    return open(path)\n\nx = load(name, 'r')\ny = load(name, mode='w', strict=True)\n",
        ("def load(path, mode, strict=False):\n", "def load(path, strict=False):\n"),
        "x = load(name)\ny = load(name, strict=True)\n",
    ),
    "a.js": (
        "class A {\n  load(path, mode) {\n    return open(path);\n  }\n}\nconst x = a.load(name, 'r');\nload(name, 'r');\n",
        ("  load(path, mode) {\n", "  load(path) {\n"),
        "const x = a.load(name);\nload(name, 'r');\n",
    ),
    "a.go": (
        'package a\n\nfunc (s *Store) load(path, mode string) error {\n\treturn nil\n}\n\nfunc all(s *Store) {\n\ts.load(\n\t\tname,\n\t\t"r",\n\t)\n}\n',
        ("func (s *Store) load(path, mode string) error {\n", "func (s *Store) load(path string) error {\n"),
        "\ts.load(\n\t\tname,\n\t)\n",
    ),
}


@pytest.mark.parametrize("name", REMOVED)
def test_the_argument_of_a_removed_parameter_goes(name: str):
    before, step, calls = REMOVED[name]
    assert calls in shown(before, step, name=name)


OBJECT = {
    "a.py": (
        "@dataclass\nclass Options:\n    host: str\n    port: int\n\n\n"
        "def connect(host, port, log):\n    pass\n\n\nconnect('::1', 80, log)\n",
        ("def connect(host, port, log):\n", "def connect(options: Options, log):\n"),
        "connect(Options(host='::1', port=80), log)\n",
    ),
    "a.ts": (
        "interface Options {\n  host: string;\n  port: number;\n}\n\nexport function connect(host: string, port: number) {\n"
        "  open(host);\n}\n\nconnect(host, 80);\n",
        (
            "export function connect(host: string, port: number) {\n",
            "export function connect({ host, port }: Options) {\n",
        ),
        "connect({ host, port: 80 });\n",
    ),
    "a.rs": (
        "struct Options {\n    host: String,\n    port: u16,\n}\n\nfn connect(host: String, port: u16) {\n}\n\n"
        "fn main() {\n    connect(name(), 80);\n}\n",
        ("fn connect(host: String, port: u16) {\n", "fn connect(options: &Options) {\n"),
        "    connect(Options { host: name(), port: 80 });\n",
    ),
    "a.kt": (
        "class Options(\n    val host: String,\n    val port: Int,\n)\n\nfun connect(host: String, port: Int) {\n}\n\n"
        'fun main() {\n    connect("a", 80)\n}\n',
        ("fun connect(host: String, port: Int) {\n", "fun connect(options: Options) {\n"),
        '    connect(Options(host = "a", port = 80))\n',
    ),
}


@pytest.mark.parametrize("name", OBJECT)
def test_parameters_that_became_one_object_are_its_fields(name: str):
    before, step, call = OBJECT[name]
    assert call in shown(before, step, name=name)


def test_a_new_parameter_gets_the_variable_of_its_name_where_there_is_one():
    before = (
        "package a\n\nfunc fetch(id int) error {\n\treturn nil\n}\n\n"
        "func one(ctx context.Context) {\n\tfetch(1)\n}\n\nfunc two() {\n\tfetch(2)\n}\n"
    )
    step = "func fetch(id int) error {\n", "func fetch(ctx context.Context, id int) error {\n"
    text = shown(before, step, name="a.go")
    assert "\tfetch(ctx, 1)\n" in text
    assert "\tfetch(2)\n" in text


def test_an_argument_that_has_to_be_named_is_named():
    before = "def cut(text, size, end):\n    pass\n\ncut(t, 3, '')\n"
    step = "def cut(text, size, end):\n", "def cut(text, *, size, end):\n"
    assert shown(before, step, name="a.py").endswith("cut(t, size=3, end='')\n")


@pytest.mark.parametrize(
    "call",
    [
        "send(*both)",  # how many arguments these are is not known
        "send('a')",  # does not fit the old parameters
        "# send('a', 'b')",
        "'send(1, 2)'",
        "mailer.send('a', 'b')",  # the method of something else
    ],
)
def test_what_may_be_no_call_of_the_function_stays(call: str):
    before = f"def send(to, subject):\n    pass\n\n{call}\n"
    step = "def send(to, subject):\n", "def send(subject, to):\n"
    text = shown(before, step, name="a.py")
    assert text.endswith(f"{call}\n")


def test_two_functions_of_one_name_are_left_alone():
    before = "class A:\n    def send(self, to, body):\n        pass\nclass B:\n    def send(self, to, body):\n        pass\na.send(1, 2)\n"
    step = "    def send(self, to, body):\n", "    def send(self, body, to):\n"
    assert shown(before, step, name="a.py").endswith("a.send(1, 2)\n")


BALANCED = st.recursive(
    st.sampled_from(["a", "x.y", "'q,('", '"]"', "1", "f g"]),
    lambda inner: st.tuples(st.sampled_from(["()", "[]", "{}"]), st.lists(inner, max_size=4)).map(
        lambda pair: pair[0][0] + ", ".join(pair[1]) + pair[0][1]
    ),
    max_leaves=12,
)


@given(st.lists(BALANCED, max_size=5), st.sampled_from([", ", ",", " ,\n  "]))
def test_elements_of_a_list_are_what_was_joined(parts: list[str], comma: str):
    text = comma.join(parts)
    assert [part.text for part in elements(text)] == parts
    assert all(text[part.start : part.stop] == part.text for part in elements(text))
    assert closing(f"({text})!", 0) == len(text) + 1


def test_signatures_of_each_language():
    heads = {
        "python": "async def f(self, a: dict[str, int], b=(1, 2), *, c: int):\n",
        "typescript": "export async function f<T>(a: Map<string, T>, b: string = 'x,y', c?: number): T {\n",
        "go": "func (s *S) f(a map[string]int, b, c string) (int, error) {\n",
        "rust": "pub fn f<T>(&self, a: HashMap<String, T>, b: &str, c: u8) -> T {\n",
        "java": "    public static Map<String, T> f(Map<String, T> a, int b, String c) throws E {\n",
        "kotlin": 'fun f(a: Map<String, Int>, b: Int, c: String = "") {\n',
    }
    for grammar, head in heads.items():
        (found,) = signatures(head, grammar)
        assert (found.name, found.names) == ("f", ("a", "b", "c")), grammar


@pytest.mark.parametrize(
    ("name", "before", "old", "new", "kept"),
    [
        ("a.ts", "function visit(n: Atom) {\n  mark(n)\n}\n\n\n\n\nfunction all(a: Atom, m: Atom) {\n  visit(m)\n}\n", "(n: Atom)", "(a: Atom)", "visit(m)"),
        ("a.py", "def load(n=1):\n    return n\n\n\n\n\ndef all(size):\n    return load(n=2), load(3)\n", "(n=1)", "(size=1)", "load(size=2), load(3)"),
    ],
)  # fmt: skip
def test_a_parameter_with_another_name_gets_the_same_argument(
    name: str, before: str, old: str, new: str, kept: str
) -> None:
    line = next(each for each in before.splitlines(keepends=True) if old in each)
    assert kept in shown(before, (line, line.replace(old, new)), name=name)
