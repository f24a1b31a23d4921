"""Rewrites that people do all over a file: newer types, other quotes, other idioms. Each also in reverse, by examples.

A rule is applied to single lines. If the region has it at two places or more, it is an edit that repeats.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from tabspec.train.edits.synthetic.region import Changes, Region

_B = r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]"  # the inside of square brackets, one level nested
_P = r"\(((?:[^()]|\([^()]*\))*)\)"  # of round ones


def _union(match: re.Match[str]) -> str:
    return " | ".join(part.strip() for part in re.split(r",\s*(?![^\[]*\])", match.group(1)))


def _fstring(match: re.Match[str]) -> str:
    text, values = match.group(2), [value.strip() for value in match.group(3).strip("() ").split(",")]
    pieces = re.split(r"%[sdr]|\{\}", text)
    if len(pieces) != len(values) + 1:
        return match.group()
    filled = "".join(piece + "{" + value + "}" for piece, value in zip(pieces, values, strict=False))
    return f"f{match.group(1)}{filled}{pieces[-1]}{match.group(1)}"


_Rewrite = tuple[str, str | Callable[[re.Match[str]], str]]

_PYTHON: tuple[_Rewrite, ...] = (
    (rf"\b(?:t\.|typing\.)?Optional{_B}", r"\1 | None"),
    (rf"\b(?:t\.|typing\.)?Optional{_B}", r"\1 | None"),
    (rf"\b(?:t\.|typing\.)?Optional{_B}", r"Union[\1, None]"),
    (rf"\b(?:t\.|typing\.)?Union{_B}", _union),
    (r"\b(?:t\.|typing\.)?(List|Dict|Set|Tuple|Type|FrozenSet)\[", lambda m: m.group(1).lower() + "["),
    (r": [\"']([\w.\[\], ]+)[\"']", r": \1"),
    (r" -> [\"']([\w.\[\], ]+)[\"']:", r" -> \1:"),
    (r"\s+# (?:type: ignore|noqa|pragma: no cover|pylint:).*$", ""),
    (r"\b(list|dict|set|tuple|type)\[", lambda m: m.group(1).capitalize() + "["),
    (r"\b(\w[\w.\[\], ]*) \| None\b", r"Optional[\1]"),
    (r"([\w.\[\]]+) == None\b", r"\1 is None"),
    (r"\bnot ([\w.]+) in\b", r"\1 not in"),
    (r"([\"\'])([^\"\'%{}]*(?:%[sdr][^\"\'%{}]*)+)\1 % (\w[\w.]*|\([^()]*\))", _fstring),
    (r"([\"\'])([^\"\'{}]*(?:\{\}[^\"\'{}]*)+)\1\.format\(([^()]*)\)", _fstring),
    (r"(?<!['\"])'([^'\"\\]*)'(?!['\"])", r'"\1"'),
    (r'(?<![\'"])"([^\'"\\]*)"(?![\'"])', r"'\1'"),
    (r"\bsuper\(\w+, self\)", "super()"),
    (r"\bself\.assertEqual\(([^,()]+(?:\([^()]*\))?), (.+)\)$", r"assert \1 == \2"),
    (r"\bself\.assertTrue\((.+)\)$", r"assert \1"),
    (r"\bself\.assertFalse\((.+)\)$", r"assert not \1"),
    (r"\bassertEquals\b", "assertEqual"),
    (r"\bprint\((.*)\)$", r"logger.info(\1)"),
    (r"\blogger\.(warn|info|debug)\(", "logger.warning("),
    (r"\blogging\.(\w+)\(", r"logger.\1("),
    (r"\bos\.path\.join\(([^,()]+), ([^,()]+)\)", r"\1 / \2"),
    (r"\bos\.path\.exists\(([^()]+)\)", r"Path(\1).exists()"),
    (r"\bopen\(([^(),]+)\)", r'open(\1, encoding="utf-8")'),
    (r"^(\s*)def (\w+\(.*\)):$", r"\1def \2 -> None:"),
    (r"^(\s*)def (\w+\(.*\)):$", r"\1async def \2:"),
    (r"\) -> None:$", "):"),
    (r"^class (\w+)\(object\):", r"class \1:"),
    (r"^class (\w+):", r"class \1(Base):"),
    (r"\(self\)", "(self, *args, **kwargs)"),
    (r"\bdict\((\w+)=(\w+)\)", r'{"\1": \2}'),
    (r"\b(\w+)\.get\((['\"]\w+['\"])\)", r"\1[\2]"),
    (r"\b(\w+)\[(['\"]\w+['\"])\](?! =)", r"\1.get(\2)"),
    (r"\b(\w+)\.has_key\(([^()]+)\)", r"\2 in \1"),
    (r"\.(items|keys|values)\(\)", r".iter\1()"),
    (r"^(\s*)return (.+)$", r"\1result = \2"),
    (r"\braise (\w+)\((.*)\)$", r"raise \1(\2) from exc"),
    (r"\bexcept (\w+):", r"except \1 as exc:"),
    (r"\bexcept Exception\b", "except (OSError, ValueError)"),
    (r"^from (\w[\w.]*) import (\w+)$", r"from .\1 import \2"),
    (r"^import (\w+)$", r"from . import \1"),
    (r"\btyping\.(\w+)", r"\1"),
    (r"\bnp\.", "numpy."),
    (r"\bpd\.", "pandas."),
    (r"\btime\.time\(\)", "time.monotonic()"),
    (r"\bisinstance\((\w+), (\w+)\)", r"type(\1) is \2"),
    (r"\b(\w+): (int|str|bool|float) = ", r"\1: \2 | None = "),
    (r"\b(\w+)=None\b", r"\1: Any = None"),
    (r"\bself\.(\w+) = (\w+)$", r"self._\1 = \2"),
    (r"\bu(['\"])", r"\1"),
)
_SCRIPT: tuple[_Rewrite, ...] = (
    (r"\bvar ", "const "),
    (r"\blet ", "const "),
    (r"\bconst (\w+) =", r"let \1 ="),
    (rf"\bfunction ?{_P} \{{", r"(\1) => {"),
    (r"\((\w+)\) =>", r"\1 =>"),
    (r"(?<![\w)(])(\w+) =>", r"(\1) =>"),
    (r"([^=!])==(?!=)", r"\1==="),
    (r"([^=!])!=(?!=)", r"\1!=="),
    (r"(?<!['\"])'([^'\"\\]*)'(?!['\"])", r'"\1"'),
    (r'(?<![\'"])"([^\'"\\]*)"(?![\'"])', r"'\1'"),
    (r";$", ""),
    (r"([\w)\]])$", r"\1;"),
    (r"\bArray<(\w+)>", r"\1[]"),
    (r"\b(\w+)\[\]", r"Array<\1>"),
    (r": any\b", ": unknown"),
    (r": string\b", ": string | null"),
    (r"\b(\w+): (\w+);$", r"\1?: \2;"),
    (r"\b(\w+): (\w+);$", r"readonly \1: \2;"),
    (r"\binterface (\w+) \{", r"type \1 = {"),
    (r"\b(\w+) && \1\.", r"\1?."),
    (r"\bthis\.(\w+)\b", r"this.#\1"),
    (r"\bthis\.", "self."),
    (r"\bconst (\w+) = require\((['\"][^'\"]+['\"])\)", r"import \1 from \2"),
    (r"\bmodule\.exports\.?(\w*) =", r"export const \1 ="),
    (r"\bconsole\.log\(", "logger.debug("),
    (r"\bexport (class|function|const) ", r"export default \1 "),
    (r"^export (function|class|const) ", r"\1 "),
    (r"^function ", "export function "),
    (r"^(\s*)(\w+)\((.*)\) \{$", r"\1async \2(\3) {"),
    (r"= (\w+)\((.*)\);$", r"= await \1(\2);"),
    (r"\) \{$", "): void {"),
    (r" \|\| ", " ?? "),
    (r"\bnull\b", "undefined"),
    (r"\bJSON\.parse\((\w+)\)", r"parse(\1)"),
    (r"\.indexOf\(([^()]+)\) (?:!== -1|>= 0|> -1)", r".includes(\1)"),
    (r"\.substr\(", ".slice("),
    (r"\.forEach\((\w+) =>", r".map(\1 =>"),
    (r"\bassert\.equal\(", "assert.strictEqual("),
    (r"\bexpect\((.+)\)\.toBe\(", r"expect(\1).toEqual("),
    (r"\bfrom '\./([\w/-]+)'", r"from './\1.js'"),
    (r"\bimport \{", "import type {"),
    (r"'([^'${}`]*)' \+ (\w+)\b", r"`\1${\2}`"),
)
_RUST: tuple[_Rewrite, ...] = (
    (r"\bOption<(\w+)>", r"Result<\1, Error>"),
    (r"\.unwrap\(\)", "?"),
    (r"\.unwrap\(\)", r'.expect("failed")'),
    (r"\.clone\(\)", ".to_owned()"),
    (r"\.to_string\(\)", ".to_owned()"),
    (r"&String\b", "&str"),
    (r"&Vec<(\w+)>", r"&[\1]"),
    (r"\bString\b", "Cow<'_, str>"),
    (r"\bpub fn\b", "pub(crate) fn"),
    (r"^(\s*)fn ", r"\1pub fn "),
    (r"\bpub fn\b", "pub const fn"),
    (r"\bpub\(crate\) ", "pub "),
    (r"\bprintln!\(", "info!("),
    (r"\blet mut ", "let "),
    (r"\bBox<dyn (\w+)>", r"Arc<dyn \1>"),
    (r"\bRc<", "Arc<"),
    (r"\bu32\b", "usize"),
    (r"\busize\b", "u64"),
    (r"\bi32\b", "i64"),
    (r"&mut self\b", "&self"),
    (r"&self\b", "self"),
    (r"\bassert!\((.+) == (.+)\);", r"assert_eq!(\1, \2);"),
    (r"\bstd::", "core::"),
    (r"\bimpl<T> ", "impl<T: Clone> "),
    (r"#\[derive\(([^)]*)\)\]", r"#[derive(\1, PartialEq)]"),
    (r"\bOk\(\(\)\)", "Ok(self)"),
    (r"\breturn (.+);$", r"\1"),
    (r"\bSelf\b", "Self<T>"),
    (r"\bcrate::", "super::"),
)
_COMPILED = {
    key: [(re.compile(pattern), new) for pattern, new in rules]
    for key, rules in (("python", _PYTHON), ("rust", _RUST), ("script", _SCRIPT))
}
_TRIES = 12  # rules; most do not occur in a region


def rewrite(region: Region, rng: Random) -> Changes | None:
    """A rule applied to all lines that it fits."""
    rules = _COMPILED[region.language if region.language in ("python", "rust") else "script"]
    for pattern, new in rng.sample(rules, min(_TRIES, len(rules))):
        changes: Changes = {}
        for number, line in enumerate(region.lines):
            rewritten = pattern.sub(new, line)
            if rewritten != line:
                changes[number] = (rewritten,)
        if len(changes) >= 2:
            return changes
    return None
