"""A function may fail now, or a type has lost a field: what is proposed at calls and values."""

# ruff: noqa: E501
# A case of a table is read best on one line.
from __future__ import annotations

import pytest

from tabspec.edits.proposals.counterparts.returned import zero
from tests.edit_steps import shown

GO = """package a

import "log"

func read(path string) string {
	return path
}

func both(path string) (int, error) {
	text := read(path)
	return len(text), nil
}

func TestRead(t *testing.T) {
	got := read("a")
	check(t, got)
}

func silent() int {
	text := read("a")
	return len(text)
}
"""
STEP = "func read(path string) string {\n", "func read(path string) (string, error) {\n"


def test_a_go_call_passes_the_error_on_as_its_function_can() -> None:
    text = shown(GO, STEP, name="a.go")
    assert "\ttext, err := read(path)\n\tif err != nil {\n\t\treturn 0, err\n\t}\n\treturn len(text), nil\n" in text
    assert '\tgot, err := read("a")\n\tif err != nil {\n\t\tt.Fatal(err)\n\t}\n\tcheck(t, got)\n' in text
    assert 'func silent() int {\n\ttext := read("a")\n' in text  # it has no way to pass an error on


def test_a_go_statement_that_may_fail_is_checked() -> None:
    before = (
        "package a\n\nfunc (s *S) save() {\n\twrite()\n}\n\nfunc (s *S) run() error {\n\ts.save()\n\treturn nil\n}\n"
    )
    text = shown(before, ("func (s *S) save() {\n", "func (s *S) save() error {\n"), name="a.go")
    assert "\tif err := s.save(); err != nil {\n\t\treturn err\n\t}\n\treturn nil\n" in text


RUST = """fn read(path: &str) -> String {
    path.into()
}

fn both(path: &str) -> Result<usize, Error> {
    let text = read(path);
    Ok(text.len())
}

fn same(path: &str) -> Result<String, Error> {
    read(path)
}

fn handled(path: &str) -> Result<String, Error> {
    let text = read(path).unwrap_or_default();
    Ok(text)
}

#[test]
fn reads() {
    assert_eq!(read("a").len(), 1);
}
"""


def test_a_rust_call_passes_the_error_on_where_it_can() -> None:
    text = shown(
        RUST, ("fn read(path: &str) -> String {\n", "fn read(path: &str) -> io::Result<String> {\n"), name="a.rs"
    )
    assert "let text = read(path)?;" in text and "    read(path)\n}" in text
    assert "read(path).unwrap_or_default()" in text and 'read("a").unwrap().len()' in text


def test_a_rust_function_without_a_value_may_fail() -> None:
    before = "fn save(n: u8) {\n    put(n);\n}\n\nfn all() -> Result<(), Error> {\n    save(1);\n    Ok(())\n}\n"
    text = shown(before, ("fn save(n: u8) {\n", "fn save(n: u8) -> Result<(), Error> {\n"), name="a.rs")
    assert "    save(1)?;\n" in text


@pytest.mark.parametrize(
    ("kind", "value"),
    [("string", '""'), ("int64", "0"), ("bool", "false"), ("*T", "nil"), ("[]int", "nil"), ("pkg.T", "pkg.T{}")],
)
def test_zero_values(kind: str, value: str) -> None:
    assert zero(kind) == value


FIELD_GONE = {
    "a.go": (
        "package a\n\ntype User struct {\n\tName string\n\tAge  int\n}\n\nvar a = User{Name: f(1, 2), Age: 3}\nvar b = User{\n\tName: n,\n\tAge:  3,\n}\nvar c = Pet{Age: 3}\n",
        ("\tName string\n\tAge  int\n", "\tName string\n"),
        ("var a = User{Name: f(1, 2)}\nvar b = User{\n\tName: n,\n}\nvar c = Pet{Age: 3}\n",),
    ),
    "a.rs": (
        "struct User {\n    name: String,\n    age: u8,\n}\n\nfn f(age: u8) -> User {\n    User { age, name: n() }\n}\n",
        ("    name: String,\n    age: u8,\n", "    name: String,\n"),
        ("    User { name: n() }\n",),
    ),
    "a.py": (
        "@dataclass\nclass User:\n    name: str\n    age: int\n\n\nu = User(age=3, name=n)\nv = User(\n    name=n,\n    age=3,\n)\nw = Pet(age=3)\n",
        ("    name: str\n    age: int\n", "    name: str\n"),
        ("u = User(name=n)\nv = User(\n    name=n,\n)\nw = Pet(age=3)\n",),
    ),
    "a.kt": (
        "data class User(\n    val name: String,\n    val age: Int,\n)\n\nval u = User(name = n, age = 3)\n",
        ("    val name: String,\n    val age: Int,\n", "    val name: String,\n"),
        ("val u = User(name = n)\n",),
    ),
}


@pytest.mark.parametrize("name", FIELD_GONE)
def test_a_field_that_a_type_has_lost_is_not_given(name: str) -> None:
    before, step, wanted = FIELD_GONE[name]
    text = shown(before, step, name=name)
    for part in wanted:
        assert part in text


def test_a_renamed_field_is_not_removed() -> None:
    before, _, _ = FIELD_GONE["a.py"]
    assert "age=3" in shown(before, ("    age: int\n", "    years: int\n"), name="a.py").replace("years=3", "age=3")
