"""`tabspec bench fit`: the time of post-processing a suggestion after each keystroke in a long file."""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import tabspec
from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.fitting.postprocess import offered, postprocess
from tabspec.fitting.truncation import FitPlace
from tabspec.suggestion import Finish, GeneratedText
from tabspec.syntax.languages import grammar_of
from tabspec.syntax.tree import SyntaxTree
from tabspec.system.tables import print_table
from tabspec.text import Document

# The line that is typed, one character at a time.
_TYPED = "result = total(items, offset"
# For each place: the text after the cursor in the line, and what the model generates after the typed line.
_PLACES = {
    "at a line's end": ("", ")"),
    "before closers": (")]", ", 1)]"),
    "half a text": ("", ", name="),
    "several lines": ("", ",\n        1,\n    )\n    return result"),
}
# The beginning of an indented line, and how many of them get a keystroke.
_INDENTED, _LINES = re.compile(r"\n {4}(?=\S)"), 40
_TOKEN = re.compile(r"\s*\w{1,4}|\s*[^\w\s]+|\s+")
# The blank lines between two top-level definitions. The line is typed after such a gap, and the file ends at one.
_BETWEEN = "\n\n\n"


@click.command("fit")
@click.option("--lines", type=click.IntRange(10, 100_000), default=1000, show_default=True, help="Length of the file.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def fit_command(lines: int, out: Path | None) -> None:
    """Time post-processing after each keystroke of a line that is typed in the middle of a Python file."""
    text = _python(lines)
    results = {name: measure(text, rest, generated) for name, (rest, generated) in _PLACES.items()}
    results["a new line, while the model writes"], results["a new line, after that"] = first_keys(text)
    results["parsing the whole file"] = _times(lambda _: SyntaxTree.of("python", text), range(20))
    rows = [[name, f"{found['p50']:.2f}", f"{found['p99']:.2f}"] for name, found in results.items()]
    print_table(f"Fitting a suggestion, {lines:,} lines of Python, milliseconds", ["place", "p50", "p99"], rows)
    if out:
        made = {"format": "tabspec-bench-fit", "version": 1, "lines": lines, "results": results}
        out.write_text(json.dumps(made, indent=1) + "\n")


def measure(text: str, rest: str, generated: str) -> dict[str, float]:
    """Return the p50 and p99 of the milliseconds for each keystroke.

    The line is typed in four different files. The first keystroke in a file includes parsing the whole file. ``rest``
    follows the cursor in the line; ``generated`` is what the model generates after the typed line.
    """
    middle = text.index(_BETWEEN, len(text) // 2) + len(_BETWEEN)
    above, below = text[:middle], text[middle:]
    finish = Finish.CONFIDENCE if generated.endswith("=") else Finish.END

    def keystroke(typed: tuple[int, int]) -> None:
        copy, count = typed
        before = f"{above}def f{copy}(items, offset):\n    {_TYPED[:count]}"
        context = EditContext(Document("file:///bench.py", f"{before}{rest}\n{below}", "python"), len(before))
        postprocess(context, _of_tokens(_TYPED[count:] + generated, finish), least=EngineConfig().min_probability)

    keystroke((0, 0))
    return _times(keystroke, [(copy, count) for copy in range(4) for count in range(1, len(_TYPED) + 1)])


def first_keys(text: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the p50 and p99 of the milliseconds for a keystroke on a line where the cursor was not before: of parsing
    ahead, which the engine does while the model writes, and of post-processing what it has written."""
    starts = [match.end() for match in _INDENTED.finditer(text)]
    places = [
        FitPlace(EditContext(Document("file:///lines.py", f"{text[:start]}{text[start + 1 :]}", "python"), start))
        for start in starts[:1] + starts[1 :: max(len(starts) // _LINES, 1)]
    ]

    def rest(place: FitPlace) -> None:
        offered(place, place.truncate(_of_tokens("x)", Finish.END)), EngineConfig().min_probability)

    places[0].parse_ahead()
    ahead, after = [], []
    for place in places[1:]:
        ahead.append(_time(FitPlace.parse_ahead, place))
        after.append(_time(rest, place))
    return _percentiles(ahead), _percentiles(after)


def _of_tokens(text: str, finish: Finish) -> GeneratedText:
    """A text of likely tokens, of about the size that a model's have."""
    ends = tuple(token.end() for token in _TOKEN.finditer(text))
    return GeneratedText(text, finish, ends, (math.log(0.9),) * len(ends))


def _times(call: Callable[[Any], Any], arguments: Any) -> dict[str, float]:
    return _percentiles([_time(call, each) for each in arguments])


def _time(call: Callable[[Any], Any], argument: Any) -> float:
    """The milliseconds of a call."""
    started = time.perf_counter()
    call(argument)
    return (time.perf_counter() - started) * 1e3


def _percentiles(taken: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3)}


def _python(lines: int) -> str:
    """At most this number of lines of tabspec's own source: files one after another, cut between two definitions."""
    found: list[str] = []
    for path in sorted(Path(tabspec.__file__).parent.rglob("*.py")):
        found += path.read_text("utf-8").splitlines()
        if len(found) >= lines:
            break
    assert grammar_of(Document("file:///bench.py", "", "python"))
    return "\n".join(found[:lines]).rpartition(_BETWEEN)[0] + "\n"
