"""The report: words and charts as pure functions, the page as HTML, the terminal table, the command."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import made_results as results
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from tabspec.cli.report import report_command
from tabspec.errors import InputError
from tabspec.replay.report import print_result, render, words
from tabspec.replay.report.drawing import charts, timeline, waits
from tabspec.replay.report.grouping import groups, leading
from tabspec.replay.results.result import ReplayResult, RequestRecord
from tabspec.replay.results.result_file import dumps, save

EVIL = '</script><b onmouseover="x()">\'&<!--\u2028'
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Checks that elements nest, and keeps what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[self.elements[-1][1].get("id") or ""] = data
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_the_page_is_well_formed_and_shows_every_policy_and_session() -> None:
    page = Page(render(results.result(300, sessions=3)))
    for word in (
        "none",
        "cache",
        "depth1",
        "chain",
        "josephg-rustcode.seg05",
        "synthetic",
        "0123abc",
        "whole-second",
    ):
        assert word in page.text
    identities = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(identities)) == len(identities)
    assert page.elements[0][0] == "html"


def test_the_page_loads_no_other_file() -> None:
    text = render(results.result(100))
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    for tag, attributes in Page(text).elements:
        assert tag not in {"link", "img", "iframe", "object", "a"}
        assert not {"src", "href", "style"} & set(attributes)


def test_text_of_a_session_is_escaped_everywhere() -> None:
    requests = [
        RequestRecord(1.0, 300.0, "model", tab=True, shown=True, text=EVIL, miss=EVIL),
        RequestRecord(2.0, 5.0, "none", reason=EVIL, text=EVIL),
        RequestRecord(3.0, 0.0, "speculated", tab=True, text=EVIL),
    ]
    run = results.run_of(
        requests,
        session=EVIL,
        language=EVIL,
        policy=EVIL,
        model=EVIL,
        user=EVIL,
        machine=EVIL,
        git_commit=EVIL,
        command=EVIL,
        notes=(EVIL,),
        clock=EVIL,
    )
    for runs in ((run,), (run, replace(run, policy="depth1"), replace(run, session="other"))):
        page = Page(render(ReplayResult(runs)))
        assert not [1 for tag, attributes in page.elements if tag == "b" and attributes]
        assert "</script><b onmouseover=" in page.text
        hover = json.loads(page.scripts["hover"])
        assert all(EVIL in rows[0][0] for rows in hover.values()) and hover
        assert "</" not in page.scripts["hover"] and "<!--" not in page.scripts["hover"]


def test_the_page_is_the_same_each_time() -> None:
    assert render(results.result(200, sessions=2)) == render(results.result(200, sessions=2))


def test_the_hover_texts_fit_the_columns() -> None:
    page = Page(render(results.result(500)))
    hover = json.loads(page.scripts["hover"])
    boxes = [attributes for _, attributes in page.elements if attributes.get("class") == "strip-box"]
    assert len(boxes) == sum(map(len, hover.values())) > 4
    for box in boxes:
        assert 0 < len(hover[box["data-view"] or ""][int(box["data-row"] or 0)]) <= timeline.COLUMNS


@pytest.mark.slow
def test_the_page_of_fifty_thousand_requests_is_small_enough_to_open() -> None:
    text = render(results.result(50_000))
    assert len(text) < 4_000_000
    assert "a column stands for up to" in text


def test_an_empty_result_and_an_empty_run() -> None:
    assert "no run" in Page(render(ReplayResult(()))).text
    run = replace(results.run_of([]), cache_over_time=(), notes=())
    assert "No Tab was pressed" in Page(render(ReplayResult((run, replace(run, policy="none"))))).text
    assert printed(ReplayResult(())).strip() == "No runs."


def test_sessions_without_a_timeline_are_shown_without_a_pool() -> None:
    result = results.result(50, sessions=2)
    bare = ReplayResult(tuple(replace(run, timeline=(), cache_over_time=()) for run in result.runs))
    assert [group.title for group in groups(bare)] == [words.session_name(run.session) for run in bare.runs[::4]]
    assert "request by request" not in Page(render(bare)).text


def test_stale_suggestions_are_reported_first() -> None:
    run = results.run("chain", 20, stale_served=2)
    assert "2 stale suggestions were served" in Page(render(ReplayResult((run,)))).text
    assert "2 stale suggestions were served" in printed(ReplayResult((run,)))


# --- words --------------------------------------------------------------------------------------------------------


def outcome(policy: str, instant: int, tabs: int) -> results.Run:
    timeline = [RequestRecord(float(i), 1.0, "speculated" if i < instant else "model", tab=True) for i in range(tabs)]
    return results.run_of(timeline, policy=policy)


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        (
            [("none", 0, 44), ("chain", 41, 44)],
            "After 41 of 44 Tabs (93 %) the next suggestion was there at once. Without speculation: after 0 of 44.",
        ),
        (
            [("none", 0, 44), ("cache", 3, 40), ("depth1", 20, 44)],
            "After 20 of 44 Tabs (45 %) the next suggestion was there at once. Without speculation: after 3 of 40.",
        ),
        ([("chain", 1, 9)], "After 1 of 9 Tabs (11 %) the next suggestion was there at once."),
        ([("chain", 0, 1)], "After 0 of 1 Tab (0 %) the next suggestion was there at once."),
        (
            [("cache", 2, 3)],
            "After 2 of 3 Tabs (67 %) the next suggestion was there at once, without speculation.",
        ),
        ([], "There is nothing to report: no run was made."),
    ],
)
def test_the_headline_states_the_gain_of_speculation(runs: list[tuple[str, int, int]], says: str) -> None:
    assert words.headline([outcome(*run) for run in runs]).replace("\u202f", " ") == says


def test_tabs_without_an_immediate_next_suggestion_are_counted_separately() -> None:
    hit = RequestRecord(0.0, 0.0, "exact", tab=True)
    silent = RequestRecord(1.0, 0.0, "none", reason="empty", tab=True, cached=True)
    waited = RequestRecord(2.0, 80.0, "model", tab=True)
    gone = RequestRecord(3.0, 80.0, "none", reason="superseded", tab=True)
    run = results.run_of([hit, silent, silent, waited, gone])
    assert (run.instant_next, run.waited_tabs, run.nothing_tabs, run.unanswered_tabs) == (1, 1, 2, 1)
    assert run.instant_tabs == 3 and run.instant_next_rate == 1 / 3
    assert words.other_tabs([run]).replace("\u202f", " ") == (
        "Of its other Tabs, after 2 (40 %) there was nothing to suggest, after 1 (20 %) the next suggestion had to be "
        "waited for, after 1 (20 %) no answer came before the user typed on."
    )
    assert words.other_tabs([results.run_of([hit])]) == words.other_tabs([]) == ""


def test_one_model_at_two_paces_is_two_comparisons(capsys: pytest.CaptureFixture[str]) -> None:
    """Each pace has its own table of all sessions; runs of different paces are never added up."""
    runs = [
        replace(outcome(policy, instant, 4), session=session, latency=pace)
        for pace, instant in (("slow", 1), ("fast", 3))
        for session in ("a", "b")
        for policy in ("none", "chain")
    ]
    result = ReplayResult(tuple(runs))
    found = groups(result)
    assert [(group.sessions, group.latency) for group in found] == [
        (2, "slow"), (2, "fast"), (1, "slow"), (1, "slow"), (1, "fast"), (1, "fast")
    ]  # fmt: skip
    assert leading(found) == found[:2]
    print_result(result)
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.index("Pace of the model: slow After 2 of 8") < printed.index("Pace of the model: fast After 6 of 8")
    page = render(result)
    assert page.index("at the pace of slow") < page.index("The same at the pace of fast")


@given(st.floats(0, 1e12))
def test_short_counts_are_short(number: float) -> None:
    assert len(words.short_count(number)) <= 6


@example(1, 200)
@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_percentages_are_0_or_100_only_where_exact(part: int, whole: int) -> None:
    said = words.percent(min(part, whole) / whole)
    assert (said == "100\u202f%") == (part >= whole)
    assert (said == "0\u202f%") == (part == 0)


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"),
        (0.01, "<0.1 ms"),
        (0.44, "0.4 ms"),
        (9.96, "10 ms"),
        (999.6, "1.00 s"),
        (1282, "1.28 s"),
        (12_000, "12.0 s"),
    ],
)
def test_milliseconds_are_formatted(ms: float, said: str) -> None:
    assert words.milliseconds(ms).replace("\u202f", " ") == said


def test_times_and_sizes_are_formatted() -> None:
    assert [words.moment(t) for t in (0, 67.9, 3661)] == ["0:00", "1:07", "1:01:01"]
    assert [words.size(n).replace("\u202f", " ") for n in (0, 1023, 1536, 20 << 20)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "20 MiB",
    ]


# --- charts -------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1e7), max_size=50))
def test_every_wait_is_counted_in_one_bin(values: list[float]) -> None:
    scale = waits.LogScale.over(values)
    bins = scale.bins(values)
    assert sum(bins) == len(values)
    for value in values:
        (index,) = (i for i, number in enumerate(scale.bins([value])) if number)
        low, high = scale.bounds(index)
        assert index == 0 or low <= value * (1 + 1e-9)
        assert value <= high * (1 + 1e-9)


def test_stacked_parts_fill_the_bar_and_empty_ones_are_not_drawn() -> None:
    parts = [charts.BarPart("a", "one", 1), charts.BarPart("b", "nothing", 0), charts.BarPart("c", "three", 3)]
    drawn = str(charts.stacked(parts, 4, "all"))
    assert re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', drawn) == [("0", "25"), ("25", "75")]


@given(st.integers(0, 5000), st.integers(1, 2000))
def test_folding_a_timeline_keeps_every_request_in_order(number: int, columns: int) -> None:
    requests = [RequestRecord(float(i), 1.0, "model") for i in range(number)]
    folded = timeline.fold(requests, columns)
    assert [record for row in folded.rows for cell in row for record in cell] == requests
    assert all(len(row) <= timeline.COLUMNS for row in folded.rows)
    assert sum(map(len, folded.rows)) <= columns + timeline.COLUMNS
    assert [len(texts) for texts in timeline.details(folded)] == [len(row) for row in folded.rows]


def test_a_row_marks_tabs_and_pauses() -> None:
    cells = [[RequestRecord(0.0, 900.0, "model")], [RequestRecord(100.0, 0.1, "speculated", tab=True)]]
    drawn = str(timeline.row(cells, None))
    assert 'class="pause" d="M1 0' in drawn
    assert 'class="tab-mark" d="M1.2 ' in drawn
    assert "0:00 to 1:40: 2 requests, 1 answered at once, 1 after a Tab" in drawn
    assert 'd="M0 0V' in str(timeline.row(cells, -40.0))


# --- the terminal -------------------------------------------------------------------------------------------------


def printed(result: ReplayResult, width: int = 80) -> str:
    out = io.StringIO()
    print_result(result, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_the_table_fits_80_columns_whole_and_without_colours() -> None:
    out = printed(results.result(3000, sessions=2, policies=("none", "cache", "depth1", "chain", "tree", "adaptive")))
    assert "\x1b" not in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert out.count("adaptive") == 3  # two sessions, and both together


def test_a_policy_is_one_row_of_the_table() -> None:
    run = results.run_of(
        [RequestRecord(1.0, 0.25, "speculated", tab=True), RequestRecord(2.0, 1282.0, "model", tab=True)],
        policy="depth1",
        keystrokes_saved=0.5,
        tokens=results.Tokens(0, 0, 1000, 500, 300),
        cache=results.CacheStats(1, 2048, 0),
    )
    row = next(line for line in printed(ReplayResult((run,))).splitlines() if line.startswith("depth1"))
    assert row.split() == [
        "depth1",
        "50%",
        "2",
        "1",
        "1",
        "0",
        "0",
        "0.2",
        "ms",
        "1.28",
        "s",
        "50%",
        "0",
        "1.2k",
        "300",
    ]


def test_without_tabs_there_is_no_tab_latency() -> None:
    out = printed(ReplayResult((results.run_of([RequestRecord(1.0, 200.0, "model")]),)))
    assert words.DASH in out


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command_prints_the_table_and_writes_the_page(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        save(ReplayResult((results.run("chain", 30, seed, name),)), tmp_path / f"{name}.json")
    out = tmp_path / "page.html"
    ran = CliRunner().invoke(report_command, [str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--html", str(out)])
    assert ran.exit_code == 0
    assert "All sessions" in ran.output
    assert "Session by session" in Page(out.read_text(encoding="utf-8")).text


def test_bad_input_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "good.json").write_text(dumps(results.result(5)), encoding="utf-8")
    for arguments in (["bad.json"], ["none.json"], ["good.json", "--html", "no/such/folder/page.html"]):
        given = [str(tmp_path / a) if not a.startswith("--") else a for a in arguments]
        ran = CliRunner().invoke(report_command, given)
        assert isinstance(ran.exception, InputError)
        assert "\n" not in str(ran.exception)


# --- one policy with several economies, and the bound -----------------------------------------------------------------


def test_one_policy_with_several_economies_has_a_row_for_each() -> None:
    runs = [
        results.run("depth1"),
        *(results.run("chain", seed=seed, policy="adaptive", economy=0.01 * seed) for seed in (1, 2, 5)),
        results.run("chain", policy="perfect"),
    ]
    page = Page(render(ReplayResult(tuple(replace(run, seed=0) for run in runs))))
    shown = " ".join(page.texts)
    assert "adaptive 0.01" in shown and "adaptive 0.05" in shown and "the upper bound" in shown


def test_the_perfect_policy_is_not_named_best() -> None:
    perfect, depth1 = results.run("chain", policy="perfect"), results.run("depth1")
    assert words.best([perfect, depth1]) is depth1
