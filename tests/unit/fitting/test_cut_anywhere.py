"""What an author wrote, cut anywhere and offered at its place, is kept or shortened: never changed, never doubled."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.fitting.ends import _MARKED, _MARKS, Ending, Inside
from tabspec.fitting.postprocess import postprocess
from tabspec.fitting.truncation import line_before
from tabspec.lab.evaluation.infilling.syntax import errors
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.syntax.languages import grammar_of
from tabspec.syntax.trees import tree_of
from tabspec.text import Document
from tests.examples import examples

# A few lines in each of ten languages, with strings, comments, brackets of each kind and a nested block.
CODE = {
    "python": 'def area(width, height):\n    """Return the area."""\n    # it\'s a product\n'
    "    sizes = {'a': [width, height], \"b\": (1, 2)}\n    if not sizes:\n        return None\n"
    "    return f\"{sizes['a'][0]} by {height}\"\n",
    "typescript": "export async function load(name: string): Promise<Map<string, number>> {\n"
    "  // don't wait\n  const found = await fetch(`/api/${name}?x=1`, { method: 'GET' });\n"
    '  if (!found.ok) {\n    throw new Error("no " + name);\n  }\n  return found.json();\n}\n',
    "rust": "/// Adds up.\nfn total<'a>(items: &'a [Item], start: u32) -> Option<u32> {\n"
    '    let mut sum = start;\n    for item in items {\n        sum += item.size("a")?;\n    }\n    Some(sum)\n}\n',
    "go": 'func read(path string) ([]byte, error) {\n\t// one file\n\tdata, err := os.ReadFile(path + ".txt")\n'
    "\tif err != nil {\n\t\treturn nil, err\n\t}\n\treturn data[1:], nil\n}\n",
    "c": '#include <stdio.h>\n\nstatic int count(const char *name, int *list) {\n    /* sum */\n'
    '    if (list[0] == \'a\') {\n        printf("%s: %d\\n", name, list[1]);\n    }\n    return list[0] * 2;\n}\n',
    "java": "class Shop {\n    private final List<String> names = new ArrayList<>();\n\n    int size(String name) {\n"
    '        // all\n        names.add("a" + name);\n        return names.size();\n    }\n}\n',
    "ruby": "class Cart\n  def total(items)\n    # each price\n    items.map { |item| item[:price] }.sum\n  end\n\n"
    '  def name\n    "cart #{@id}"\n  end\nend\n',
    "php": "<?php\nfunction greet(string $name): string {\n    // polite\n    $all = ['a' => [1, 2], 'b' => $name];\n"
    '    return "Hi {$all[\'b\']}";\n}\n',
    "lua": "local function join(list, mark)\n  -- text\n  local found = {}\n  for i, each in ipairs(list) do\n"
    "    found[i] = tostring(each) .. mark\n  end\n  return table.concat(found, ', ')\nend\n",
    "csharp": "class Log {\n    public void Write(string text, int level = 1) {\n        // once\n"
    '        var line = $"{level}: {text}";\n        Console.WriteLine(line, new[] { 1, 2 });\n    }\n}\n',
}  # fmt: skip


@st.composite
def places(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """A language, and the text before the cursor, of the rest of its line, and after it."""
    language = draw(st.sampled_from(sorted(CODE)))
    text = CODE[language]
    if draw(st.booleans()):
        text = text.replace("    ", "\t")
    start = draw(st.integers(0, len(text) - 1))
    end = text.index("\n", start)
    return language, text[:start], text[start:end], text[end:]


def offered(language: str, before: str, after: str, text: str, finish: Finish) -> tuple[str, Suggestion | None]:
    """The document after an accept, and what was offered."""
    context = EditContext(Document("file:///a", before + after, language), len(before))
    found = postprocess(context, GeneratedText(text, finish))
    if not isinstance(found, Suggestion):
        return before + after, None
    return context.after_accept(found).document.text, found


@settings(max_examples=examples(300), deadline=None)
@given(places(), st.booleans())
def test_the_rest_of_a_line_is_kept(place: tuple[str, str, str, str], windows: bool) -> None:
    language, before, written, after = place
    if windows:
        before, after = before.replace("\n", "\r\n"), after.replace("\n", "\r\n")
    text, found = offered(language, before, after, written, Finish.END)
    if found is not None:
        assert text.startswith(before) and text.endswith(after)
        kept = text[len(before) : len(text) - len(after)]
        assert kept.strip() == written.strip()  # blanks that stand before the cursor are not doubled
    else:
        assert not written.strip() or written == ""


@settings(max_examples=examples(300), deadline=None)
@given(places(), st.data())
def test_a_line_cut_anywhere_is_shortened_at_most(place: tuple[str, str, str, str], data: st.DataObject) -> None:
    language, before, written, after = place
    cut = written[: data.draw(st.integers(0, len(written)))]
    finish = data.draw(st.sampled_from([Finish.CONFIDENCE, Finish.MID_WORD, Finish.LENGTH]))
    text, found = offered(language, before, after, cut, finish)
    if found is not None:
        assert text.startswith(before) and text.endswith(after)
        assert cut.lstrip().startswith(found.text.lstrip()) and found.replace_after == 0


@settings(max_examples=examples(300), deadline=None)
@given(places(), st.booleans(), st.data())
def test_the_end_of_a_line_is_not_doubled(place: tuple[str, str, str, str], more: bool, data: st.DataObject) -> None:
    """The model writes the line to its end, though the end of it stands after the cursor, and perhaps the next line."""
    language, before, written, after = place
    first = len(written) - len(written.lstrip())
    joints = [at for at in range(first + 1, len(written)) if written[at] in " \t()[]{}"]
    if not joints:
        return
    at = data.draw(st.sampled_from(joints))
    rest = written[at:]
    said = written + after[: max(after.find("\n", 1), 0)] * more
    text, found = offered(language, before, rest + after, said, Finish.END)
    if found is not None and any(map(str.isalnum, rest)):
        assert text.split() == (before + written + after).split()


@settings(max_examples=examples(300), deadline=None)
@given(places())
def test_a_line_without_marks_is_read_as_a_parse_of_the_line_reads_it(place: tuple[str, str, str, str]) -> None:
    """The end of a text depends on whether the cursor is in code. Most lines are not parsed for that."""
    language, before, _, after = place
    context = EditContext(Document("file:///a", before + after, language), len(before))
    line = line_before(context)
    grammar = grammar_of(context.document)
    if grammar is None or grammar not in _MARKED or _MARKS.search(line):
        return
    tree, start = tree_of(grammar, context.document, context.offset)
    found = tree.opaque(context.offset - start)
    expected = Inside(found.quote, prose=not found.quote) if found else Inside()
    assert Ending(context, line)._inside == expected


@pytest.mark.parametrize("language", sorted(CODE))
def test_the_code_parses(language: str) -> None:
    assert errors(CODE[language], language) == 0


@pytest.mark.parametrize("more", ["", "\n}"])
def test_the_end_of_a_line_is_not_doubled_where_it_would_mean_something_else(more: str) -> None:
    """`* 2;` alone is a declaration in C."""
    before = "static int count(int *list) {\n"
    text, found = offered("c", before, " * 2;\n}\n", "    return list[0] * 2;" + more, Finish.END)
    assert found is not None and text == before + "    return list[0] * 2;\n}\n"
    text, found = offered("c", before + "    return", " 2;\n}\n", " list[0] * 2;" + more, Finish.END)
    assert found is not None and text == before + "    return list[0] * 2;\n}\n"
