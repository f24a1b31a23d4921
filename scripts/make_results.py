"""`make results`: docs/benchmarks/README.md and the tables of README.md, from the JSON files in docs/benchmarks/data.

docs/benchmarks/sections.toml names the sections of the page, in order: a title, a text and the files. A file is what a
command wrote (`tabspec replay --json`, `tabspec bench ... --json`; `.gz` is unpacked), or recorded figures:

    {"format": "tabspec-figures", "version": 1, "machine", "commit", "date", "command", "source",
     "tables": [{"title", "columns": [...], "rows": [[...], ...]}], "notes": [...]}

Recorded figures are those that no command writes as JSON, or that need a machine which is not at hand.

`python scripts/make_results.py --add FILE NAME` puts a result of `tabspec replay --json` among the data, without
what no table needs (texts, the completion cache over time).
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabspec.replay.report import words
from tabspec.replay.report.grouping import groups, leading
from tabspec.replay.results.figures import ratio
from tabspec.replay.results.result import ReplayResult, Run
from tabspec.replay.results.result_file import dumps, loads

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "benchmarks"
DATA = FOLDER / "data"

HEAD = """\
# Benchmarks

Made by `make results` from the JSON files in [data](data): do not edit. Each section names the machine, the commit
and the command. Compare figures within a section only: machines differ.
"""


def page() -> str:
    """The whole page."""
    sections = tomllib.loads((FOLDER / "sections.toml").read_text(encoding="utf-8"))["section"]
    parts = [HEAD]
    for section in sections:
        parts.append(f"## {section['title']}\n\n{section['text'].strip()}\n")
        parts += [_file(DATA / name) for name in section["files"]]
    return "\n".join(parts)


def readme() -> str:
    """README.md with its tables made anew: they stand between comments that name them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    template = tomllib.loads((FOLDER / "sections.toml").read_text(encoding="utf-8"))["readme_figures"]
    for name, made in (("speeds", _speeds()), ("figures", re.sub(r"\{(.+?):(\d+):(\d+)\}", _figure, template))):
        begin, end = f"<!-- {name}: made by `make results` -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{made.strip()}\n{end}{rest.partition(end)[2]}"
    return text


def _speeds() -> str:
    """What speculation brings at each of several speeds: policy `cache` against `adaptive`."""
    result = loads(gzip.decompress((DATA / "speeds.json.gz").read_bytes()).decode())
    rows = []
    for group in leading(groups(result)):
        if not group.latency.endswith(" a suggestion"):
            continue  # a model's own speed
        runs = {run.policy: run for run in group.runs}
        for policy, words_for_it in (("cache", "without speculation"), ("adaptive", "with")):
            run = runs[policy]
            cells = [
                words.milliseconds(run.next_latency_ms.mean),
                f"{run.instant_next} of {run.tabs - run.silent_tabs}",
                words.percent(run.keystrokes_saved),
            ]
            cells = [f"**{cell}**" if policy == "adaptive" else cell for cell in cells]
            speed = group.latency.removesuffix(" a suggestion") if policy == "cache" else ""
            rows.append([cell.replace("\u202f", " ") for cell in (speed, words_for_it, *cells)])
    columns = ["a suggestion takes", "", "wait for the next one after Tab", "it was there at once", "characters by Tab"]
    return table(columns, rows, texts=2)


def _figure(found: re.Match[str]) -> str:
    """One cell of recorded figures: {file:row:column} of the first table."""
    name, row, column = found.groups()
    tables = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))["tables"]
    return str(tables[0]["rows"][int(row)][int(column)])


def unused_files() -> list[str]:
    """Data files that no section shows."""
    sections = tomllib.loads((FOLDER / "sections.toml").read_text(encoding="utf-8"))["section"]
    shown = {name for section in sections for name in section["files"]}
    return sorted({path.name for path in DATA.iterdir()} - shown)


def _file(path: Path) -> str:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    found = json.loads(text)
    if found["format"] == "tabspec-replay":
        return "\n".join(_replay(loads(text)))
    return "\n".join(_FORMATS[found["format"]](found))


def _origin(machine: str, commit: str, command: str, date: str = "", source: str = "") -> str:
    """One line on where figures come from."""
    told = (("Machine", machine), ("commit", commit), ("date", date), ("command", f"`{command}`" if command else ""))
    return "; ".join(f"{name}: {text}" for name, text in (*told, ("source", source)) if text) + ".\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], texts: int = 1) -> str:
    """A table of Markdown; the first ``texts`` columns are text, the others are numbers."""
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * texts + "---:|" * (len(columns) - texts)]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")


# --- what the commands write ----------------------------------------------------------------------------------------


def _replay(result: ReplayResult) -> Iterator[str]:
    first = result.runs[0]
    clock = "a virtual clock, so any machine gives the same" if first.clock == "virtual" else first.machine
    yield _origin(clock, first.git_commit, first.command)
    for group in leading(groups(result)):
        yield f"**{group.title}, {group.subtitle}**\n".replace("\u202f", " ").replace("\u2009", ",")
        columns = ("policy", "Tabs", "next suggestion at once", "after a wait", "nothing to suggest", "no answer")
        columns += ("wait for the next, p50", "p99", "characters by Tab", "unused tokens for each of them")
        yield table(columns, map(_replay_row, group.runs))


def _replay_row(run: Run) -> list[str]:
    followed = run.tabs > run.silent_tabs
    waits = [words.milliseconds(ms) for ms in (run.next_latency_ms.p50, run.next_latency_ms.p99)]
    cells = [
        f"`{run.name}`",
        words.count(run.tabs),
        f"{words.count(run.instant_next)} ({words.percent(ratio(run.instant_next, run.tabs))})",
        words.count(run.waited_tabs),
        words.count(run.nothing_tabs),
        words.count(run.unanswered_tabs),
        *(waits if followed else ["", ""]),
        words.percent(run.keystrokes_saved),
        f"{ratio(run.tokens.decoded_unused, run.accepted_chars):.2f}",
    ]
    return [cell.replace("\u202f", " ").replace("\u2009", ",") for cell in cells]


def _decode(found: dict[str, Any]) -> Iterator[str]:
    yield _origin(found["machine"], found["git_commit"], _bench("decode", found))
    ours = found["results"][0]["decode_ms"]
    rows = [
        [each["name"], f"{each['decode_ms']:.2f}", f"{each['decode_ms'] / ours:.2f}", f"{each['prefill_per_s']:,.0f}"]
        for each in found["results"]
    ]
    yield table(["decoder", "ms a token", "times the first", "prompt tokens a second"], rows)


def _kv(found: dict[str, Any]) -> Iterator[str]:
    yield _origin(found["machine"], found["git_commit"], _bench("kv", found))
    accepts = found["accepts"]
    share = f"{100 * accepts['ratio']:.1f} %"
    rows = [
        [f"{accepts['kept_ms']:.1f}", f"{accepts['fresh_ms']:.1f}", share, f"{accepts['same']} of {accepts['places']}"]
    ]
    yield table(["after an accept, ms", "with an empty KV cache, ms", "place by place", "equal texts"], rows)


def _gpu(found: dict[str, Any]) -> Iterator[str]:
    about, copy = found["about"], found["ceilings"]["copy_bytes_per_s"] / 1e12
    machine = (
        f"{about['gpu']}, torch {about['torch']}, {about['dtype'].removeprefix('torch.')}; a copy moves {copy:.2f} TB/s"
    )
    yield _origin(machine, about["commit"], "tabspec bench gpu")
    shapes = [name.removesuffix(" load") for name in found if name.endswith(" load")]
    length = max(int(name.rpartition(" ")[2]) for name in found if " decode at " in name)
    steps = [found[f"{shape} decode at {length}"] for shape in shapes]
    prefills = [found[f"{shape} prefill"] for shape in shapes]
    generate = [found[f"{shape} transformers at {length}"]["ms_per_token"] for shape in shapes]
    yield f"**Random weights of Qwen2.5-Coder's shapes, behind {length:,} tokens**\n"
    rows = [
        ["a decode step on the device, ms", *(f"{s['one']['device_ms']:.2f}" for s in steps)],
        ["share of what a copy moves", *(f"{s['one']['floor_share_copy']:.0%}" for s in steps)],
        ["a step as generation calls it, ms", *(f"{s['one']['engine_ms']:.2f}" for s in steps)],
        *_four(steps),
        ["first token, a new prompt, ms", *(f"{p['first_token_fresh_ms']:.1f}" for p in prefills)],
        ["first token, 16 new tokens, ms", *(f"{p['first_token_16_new_ms']:.1f}" for p in prefills)],
        ["first token, 1 new token, ms", *(f"{p['first_token_1_new_ms']:.1f}" for p in prefills)],
        ["prefill, share of the matrix peak", *(f"{p['peak_share']:.0%}" for p in prefills)],
        ["transformers' `generate`, ms a token", *(f"{ms:.1f}" for ms in generate)],
    ]
    yield table(["", *(shape.upper() for shape in shapes)], rows)
    heads = [each for name, each in found.items() if name.endswith(" KV heads") and "step_ms" in each]
    if heads:
        first = heads[0]
        yield f"**1.5B with fewer key-value heads (of {first['heads']}), {first['context']:,} tokens a sequence**\n"
        columns = ("KV heads", "KV bytes a token", "batch", "ms a step", "tokens a second", "largest batch (computed)")
        yield table(columns, [_heads(each) for each in heads])


def _four(steps: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Rows about four sequences. Older results are of four branches of one prompt, whose keys and values are shared."""
    kind, name = (
        ("batch", "four sequences") if "batch_over_one" in steps[0] else ("branches", "four branches of a prompt")
    )
    yield [f"{name}, times one, on the device", *(f"{s[f'{kind}_over_one']:.2f}" for s in steps)]
    yield ["the same as generation calls it", *(f"{s[f'{kind}_over_one_engine']:.2f}" for s in steps)]


def _heads(each: dict[str, Any]) -> list[str]:
    counts = [f"{each[name]:,}" for name in ("kv_heads", "kv_bytes_per_token", "batch")]
    return [*counts, f"{each['step_ms']:.2f}", f"{each['tokens_per_s']:,.0f}", f"{each['largest_batch']:,}"]


def _kv_heads(found: dict[str, Any]) -> Iterator[str]:
    models = found["models"]
    first = models[0]
    yield _origin("", found["git_commit"], "tabspec bench kv-heads")
    yield f"**Trained alike on {first['tokens'] / 1e6:,.0f} million tokens; losses in nats a token**\n"
    rows = []
    for each in models:
        kind = {1: "multi-query", each["heads"]: "multi-head"}.get(each["kv_heads"], "grouped-query")
        counts = [f"{each[name]:,}" for name in ("kv_heads", "mlp", "parameters", "kv_bytes_per_token")]
        names = ("validation", "prefixes", "middles", "ends", "bits_per_byte")
        rows.append([kind, *counts, *(f"{each[name]:.4f}" for name in names)])
    columns = (
        "attention",
        "KV heads",
        "MLP",
        "parameters",
        "KV bytes a token",
        "held out",
        "prefixes",
        "middles",
        "ends",
    )
    yield table([*columns, "bits a byte"], rows)
    yield "**Milliseconds of a decode step, by the number of sequences**\n"
    rows = []
    for steps in found["steps"]:
        where = f"{steps['machine']}, after {steps['prompt']:,} tokens each"
        for batch in dict.fromkeys(time["batch"] for time in steps["times"]):
            times = {time["kv_heads"]: time["ms"] for time in steps["times"] if time["batch"] == batch}
            rows.append([where, batch, *(f"{times[each['kv_heads']]:.3f}" for each in models)])
    yield table(["machine", "sequences", *(f"{each['kv_heads']} KV heads" for each in models)], rows)


def _bench(name: str, found: dict[str, Any]) -> str:
    return f"tabspec bench {name} --threads {found['threads']}"


def _figures(found: dict[str, Any]) -> Iterator[str]:
    yield _origin(*(found.get(name, "") for name in ("machine", "commit", "command", "date", "source")))
    for each in found["tables"]:
        if title := each.get("title"):
            yield f"**{title}**\n"
        yield table(each["columns"], each["rows"])
    if found.get("notes"):
        yield "\n".join(f"- {note}" for note in found["notes"]) + "\n"


_FORMATS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "tabspec-bench-decode": _decode,
    "tabspec-bench-gpu": _gpu,
    "tabspec-bench-kv": _kv,
    "tabspec-bench-kv-heads": _kv_heads,
    "tabspec-figures": _figures,
}


def add(source: Path, name: str) -> None:
    """Keep a replay's result as data. Raises `InputError` if it is none."""
    result = loads(source.read_text(encoding="utf-8"))
    runs = [
        replace(
            run,
            command=run.command.replace(f" --json {source}", ""),
            cache_over_time=(),
            timeline=tuple(replace(record, text="", line=0) for record in run.timeline),
        )
        for run in result.runs
    ]
    (DATA / name).write_bytes(gzip.compress(dumps(ReplayResult(tuple(runs))).encode(), mtime=0))


def main() -> int:
    if sys.argv[1:2] == ["--add"]:
        add(Path(sys.argv[2]), sys.argv[3])
    (FOLDER / "README.md").write_text(page(), encoding="utf-8")
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")
    for name in unused_files():
        print(f"docs/benchmarks/data/{name} is in no section of docs/benchmarks/sections.toml", file=sys.stderr)
    return 1 if unused_files() else 0


if __name__ == "__main__":
    sys.exit(main())
