"""scripts/check_documents.py and scripts/make_results.py: the faults they find, and the pages they make."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.tools import REPOSITORY

SCRIPTS = REPOSITORY / "scripts"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import check_documents
    import make_results

    return check_documents, make_results


@pytest.fixture
def pages(tmp_path: Path, scripts: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the repository's, in which every file counts as tracked."""
    check, _ = scripts
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(
        check, "tracked", lambda *suffixes: sorted(path for path in tmp_path.rglob("*") if path.suffix in suffixes)
    )
    return tmp_path


def test_dead_links_are_found(pages: Path, scripts: tuple[ModuleType, ModuleType]) -> None:
    (pages / "docs").mkdir()
    (pages / "docs" / "a.md").write_text(
        "# One `Tab`, two\n\n[up](../b.md) [in](#one-tab-two) [web](https://x.org/y)\n"
    )
    (pages / "b.md").write_text(
        "[a](docs/a.md#one-tab-two) [gone](docs/c.md) [no heading](docs/a.md#three)\n```\n[x](y)\n```\n"
    )
    check, _ = scripts
    assert list(check.link_faults()) == [
        "b.md links to docs/c.md, which is not there",
        "b.md links to docs/a.md#three: no such heading",
    ]


def test_pages_that_code_names_must_be_there(pages: Path, scripts: tuple[ModuleType, ModuleType]) -> None:
    (pages / "docs" / "guide").mkdir(parents=True)
    (pages / "docs" / "guide" / "a.md").touch()
    guide = "docs/guide"  # (so that this file names no page that is not there)
    (pages / "x.py").write_text(f"# {guide}/a.md and {guide}/b.md; of another project: its {guide}.md\n")
    check, _ = scripts
    assert list(check.mention_faults()) == [f"x.py names {guide}/b.md, which is not there"]


def test_files_that_pages_and_the_product_name_must_be_there(
    pages: Path, scripts: tuple[ModuleType, ModuleType]
) -> None:
    (pages / "tabspec").mkdir()
    (pages / "tabspec" / "a.py").write_text("# see docs/" + "moved.md\n")
    (pages / "b.md").write_text("`tabspec/a.py`, `tabspec/moved.py`, and another project's its/tabspec/c.py\n")
    (pages / "CHANGELOG.md").write_text("`tabspec/moved.py` is new\n")
    check, _ = scripts
    assert list(check.mention_faults()) == [
        "b.md names tabspec/moved.py, which is not there",
        "tabspec/a.py names docs/moved.md, which is not there",
    ]


def test_targets_and_commands_that_pages_name_must_be_there(
    pages: Path, scripts: tuple[ModuleType, ModuleType]
) -> None:
    (pages / "Makefile").write_text("demo: venv\n")
    (pages / "README.md").write_text(
        "    make demo\n    make tea\n    tabspec replay X\n    tabspec sing\ntabspec is a word\n"
    )
    check, _ = scripts
    assert list(check.name_faults()) == [
        "README.md names `make tea`, which the Makefile has not",
        "README.md names `tabspec sing`, which is no command",
    ]


def test_tables_are_made_from_the_data(
    tmp_path: Path, scripts: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, results = scripts
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(results, "DATA", tmp_path / "data")
    (tmp_path / "data").mkdir()
    figures = {
        "format": "tabspec-figures",
        "version": 1,
        "machine": "a toaster",
        "commit": "abc",
        "command": "toast",
        "tables": [{"title": "Bread", "columns": ["", "ms"], "rows": [["a | b", "3"]]}],
        "notes": ["warm"],
    }
    (tmp_path / "data" / "bread.json.gz").write_bytes(gzip.compress(json.dumps(figures).encode()))
    (tmp_path / "data" / "stray.json").write_text("{}")
    (tmp_path / "sections.toml").write_text('[[section]]\ntitle = "T"\ntext = "Why."\nfiles = ["bread.json.gz"]\n')
    page = results.page()
    assert "## T\n\nWhy.\n\nMachine: a toaster; commit: abc; command: `toast`.\n" in page
    assert "**Bread**\n\n|  | ms |\n|---|---:|\n| a \\| b | 3 |\n\n- warm\n" in page
    assert results.unused_files() == ["stray.json"]


def test_saved_replays_hold_only_what_tables_need(
    tmp_path: Path, scripts: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, results = scripts
    monkeypatch.setattr(results, "DATA", tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS.parent / "tests" / "replay"))
    import made_results

    from tabspec.replay.results.result import ReplayResult
    from tabspec.replay.results.result_file import loads, save

    run = made_results.run("adaptive", 60)
    save(ReplayResult((run,)), tmp_path / "result.json")
    results.add(tmp_path / "result.json", "kept.json.gz")
    kept = loads(gzip.decompress((tmp_path / "kept.json.gz").read_bytes()).decode()).runs[0]
    assert (kept.instant_next, kept.tabs, kept.next_latency_ms.p99) == (
        run.instant_next,
        run.tabs,
        pytest.approx(run.next_latency_ms.p99, abs=0.001),
    )
    assert not any(record.text for record in kept.timeline) and not kept.cache_over_time
    assert "| `adaptive` |" in results._file(tmp_path / "kept.json.gz")


def test_generated_pages_are_up_to_date(scripts: tuple[ModuleType, ModuleType]) -> None:
    """(`make check` compares them all; this is the part that needs no separate process.)"""
    check, results = scripts
    assert sys.modules["make_results"] is results
    assert (results.FOLDER / "README.md").read_text(encoding="utf-8") == results.page()
    assert (results.ROOT / "README.md").read_text(encoding="utf-8") == results.readme()
    assert (check.ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8") == check.decisions_page()
