"""Suggestions that fit their place, in many languages: closers that stand there, lines said again, joints, ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.fitting.ends import whole
from tabspec.fitting.fit import fit
from tabspec.fitting.postprocess import postprocess
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.text import Document
from tests.examples import examples


def after(language: str, marked: str, text: str, finish: Finish = Finish.END) -> str | None:
    """The document after accepting what is offered for ``text`` at the mark ``¦``; None if nothing is."""
    offset = marked.index("¦")
    context = EditContext(Document("file:///a", marked.replace("¦", ""), language), offset)
    offered = postprocess(context, GeneratedText(text, finish))
    return context.after_accept(offered).document.text if isinstance(offered, Suggestion) else None


@pytest.mark.parametrize(
    ("language", "marked", "text", "right"),
    [
        # the interpolation of a string
        ("typescript", "log(`a ${¦} b`);", "user.name}", "log(`a ${user.name} b`);"),
        ("ruby", 'puts "hi #{¦}"', 'name}"', 'puts "hi #{name}"'),
        ("csharp", 'Log($"hi {¦}");', "name}", 'Log($"hi {name}");'),
        ("swift", 'print("hi \\(¦)")', "name)", 'print("hi \\(name)")'),
        ("php", '$s = "hi {¦}";', "$name}", '$s = "hi {$name}";'),
        # a quote that opens no string
        ("rust", "impl<'a> Parser<'a> { fn f(x: Option<¦>) {} }", "&'a str>", "impl<'a> Parser<'a> { fn f(x: Option<&'a str>) {} }"),  # noqa: E501
        ("go", "r := '('; f(¦)", "x)", "r := '('; f(x)"),
        ("c", "char q = '\"'; f(¦);", "x)", "char q = '\"'; f(x);"),
        ("python", "# it's (¦) here", "so)", "# it's (so) here"),
        ("haskell", "f x' = g (¦)", "x' + 1)", "f x' = g (x' + 1)"),
        # closers that are no brackets
        ("cpp", "std::vector<¦> v;", "int>", "std::vector<int> v;"),
        ("java", "Map<String, ¦> m;", "Integer>", "Map<String, Integer> m;"),
        ("html", '<a href="¦">x</a>', '/home">', '<a href="/home">x</a>'),
        ("vue", "<template><p>{{ ¦ }}</p></template>", "name }}", "<template><p>{{ name }}</p></template>"),
        ("typescriptreact", "<Foo onClick={¦} />", "run}", "<Foo onClick={run} />"),
        # what the text opens itself stays closed by it
        ("javascript", "f(¦)", "g(x)", "f(g(x))"),
        ("go", "f(g(¦", "x))", "f(g(x))"),
        ("python", "x = [¦]", "i for i in y if i]", "x = [i for i in y if i]"),
        # several lines in the midst of a line
        ("go", "f(¦)\n", "\n\ta,\n\tb,\n)", "f(\n\ta,\n\tb,\n)\n"),
        ("java", "run(() -> {¦});\n", "\n    go();\n}", "run(() -> {\n    go();\n});\n"),
        ("javascript", "f(function () {¦});", "\n  go();\n", "f(function () {\n  go();\n});"),
        # lines that stand below
        ("c", "int f() {\n    ¦\n}\n", "return 1;\n}", "int f() {\n    return 1;\n}\n"),
        ("ruby", "def f\n  ¦\nend\n", "1 + 1\nend", "def f\n  1 + 1\nend\n"),
        ("c", "int f() {\n    if (a) {\n        ¦\n}\n", "return 1;\n    }", "int f() {\n    if (a) {\n        return 1;\n    }\n}\n"),  # noqa: E501
        # a short statement that leaves the block stands below already
        ("typescript", "if (a) {\n  ¦\n  return;\n}\n", "log();\n  return;", "if (a) {\n  log();\n  return;\n}\n"),
        ("go", "for {\n\t¦\n\tbreak\n}\n", "break", None),
        ("go", "for {\n\t¦\n\tnext()\n}\n", "next()", "for {\n\tnext()\n\tnext()\n}\n"),
        # no grammar: a lexer, or brackets
        ("fortran", "call f(¦)", "x)", "call f(x)"),
        ("no-such-language", "call f(¦) now", "x)", "call f(x) now"),
        # joints
        ("typescript", "return ¦value;", "await ", "return await value;"),
        ("rust", "let ¦x = 1;", "mut", "let mut x = 1;"),
        ("python", "get¦Name()", "User", "getUserName()"),
        ("python", "x = ¦Name()", "get_", "x = get_Name()"),
        ("python", "def f():\n    return ¦", "    return a", "def f():\n    return a"),
        ("python", "def f():\n  ¦\n", "  return 1", "def f():\n    return 1\n"),
        ("python", "x = 1 ¦", " # why", "x = 1  # why"),
        ("python", "return ¦", " a", "return a"),
        ("go", "func f() {\n\t¦\n}\n", "\treturn 1", "func f() {\n\treturn 1\n}\n"),
        ("go", "func f() {\n\t¦\n}\n", "if a {\n        return\n    }", "func f() {\n\tif a {\n\t\treturn\n\t}\n}\n"),
        ("python", "def f(a):\n    ¦\n", "for x in a:\n\t\tprint(x)", "def f(a):\n    for x in a:\n        print(x)\n"),
        ("python", "def f():\r\n    ¦\r\n", "a = 1\n    b = 2\r\n", "def f():\r\n    a = 1\r\n    b = 2\r\n"),
        ("python", "x = ¦", "'\ufffd\ufffd ok'", None),
        # repetition is no loop within a value
        ("c", "x = ¦;", "0xDEADDEADDEADDEAD", "x = 0xDEADDEADDEADDEAD;"),
        ("json", '{"id": ¦}', '"11111111-1111-1111-1111-111111111111"', '{"id": "11111111-1111-1111-1111-111111111111"}'),  # noqa: E501
    ],
)  # fmt: skip
def test_the_document_reads_right_after_an_accept(language: str, marked: str, text: str, right: str | None) -> None:
    assert after(language, marked, text) == right


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('description="A', "description"),
        ('f"', ""),
        ("group =", "group"),
        ("a.b.", "a.b"),
        ("if not", ""),
        ("f(a, b", "f(a, b"),
        ("f(", "f"),
        ("else:", "else:"),
        ("i++", "i++"),
        ("Vec<u8>", "Vec<u8>"),
        ("x => ", "x"),
        ('"a" + "b"', '"a" + "b"'),
        ("it's", "it's"),
    ],
)
def test_a_text_that_was_cut_ends_where_a_person_could_stop(text: str, kept: str) -> None:
    assert whole(text) == kept


def test_half_a_word_is_not_offered() -> None:
    assert after("python", "x = ¦", "self.na", Finish.MID_WORD) == "x = self"
    assert after("python", "x = ¦", "self.na", Finish.CONFIDENCE) == "x = self.na"
    assert after("python", "x = ¦", "na", Finish.MID_WORD) is None


@given(st.text(alphabet="ab=.(\"' ,", max_size=12))
def test_what_is_whole_stays_whole(text: str) -> None:
    kept = whole(text)
    assert text.startswith(kept) and whole(kept) == kept


PIECES = st.text(alphabet="ab()[]\"' \n", max_size=12)


@settings(max_examples=examples(200))
@given(st.sampled_from(["python", "javascript", "rust", "no-such-language"]), PIECES, PIECES, PIECES)
def test_what_the_user_has_typed_is_never_lost(language: str, before: str, text: str, rest: str) -> None:
    """Whatever is replaced, the text says as well, in its order."""
    context = EditContext(Document("file:///a", before + rest, language), len(before))
    kept, replaced = fit(context, text)
    chars = iter(kept)
    assert all(char in chars for char in rest[:replaced] if not char.isspace())
    assert "\n" not in rest[:replaced]
