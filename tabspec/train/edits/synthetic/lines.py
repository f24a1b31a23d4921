"""Lines that come and go at similar places: after or before lines of one shape, or as copies with a word changed."""

from __future__ import annotations

import re
from collections import defaultdict
from random import Random

from tabspec.train.edits.synthetic.naming import new_name
from tabspec.train.edits.synthetic.region import KEYWORDS, Changes, Region, indent_of, indentation

_WORD = re.compile(r"[^\W\d]\w*")
_DEFINED = re.compile(r"\b(?:def|class|fn|function|const|let|struct|interface|type|async)\s+([^\W\d]\w*)")


def insert_line(region: Region, rng: Random) -> Changes | None:
    """A line is inserted after, or before, each line of one shape. It may repeat a word of that line."""
    group = _alike(region, rng)
    if group is None:
        return None
    template = _template(region, rng)
    before = rng.random() < 0.35
    deeper = not before and rng.random() < 0.75
    changes: Changes = {}
    for number in group:
        line = region.lines[number]
        indent = indent_of(line)
        opened = line.rstrip().endswith((":", "{", "(", "["))
        if opened and deeper:
            following = region.lines[number + 1] if number + 1 < len(region.lines) else ""
            indent = indent_of(following) if indentation(following) > len(indent) else indent + "    "
        new = indent + template.replace("NAME", _subject(line))
        changes[number] = (new, line) if before else (line, new)
    return changes


def delete_line(region: Region, rng: Random) -> Changes | None:
    """All lines of one shape are deleted."""
    group = _alike(region, rng)
    return None if group is None else {number: () for number in group}


def repeat_line(region: Region, rng: Random) -> Changes | None:
    """A name that stands on several lines gets a second line at each, with another name."""
    often = [name for name, found in region.names.items() if len({region.words[p].line for p in found}) >= 2]
    if not often:
        return None
    name = rng.choice(often)
    new = new_name(name, rng, list(region.names))
    pattern = re.compile(rf"\b{re.escape(name)}\b")
    changes: Changes = {}
    for number in {region.words[place].line for place in region.names[name]}:
        line = region.lines[number]
        if line.rstrip().endswith((",", ";", ")", "]", "'", '"')) or "=" in line or "import" in line:
            changes[number] = (line, pattern.sub(new, line))
    return changes


def toggle_comment(region: Region, rng: Random) -> Changes | None:
    """Lines of one shape are commented out, or get a comment at their end."""
    group = _alike(region, rng)
    if group is None:
        return None
    mark = "#" if region.language == "python" else "//"
    note = rng.choice(
        ["noqa", "type: ignore", "pragma: no cover", "TODO", "eslint-disable-line", "deprecated", "fixme"]
    )
    ended = rng.random() < 0.6
    changes: Changes = {}
    for number in group:
        line = region.lines[number]
        commented = f"{indent_of(line)}{mark} {line.lstrip()}"
        changes[number] = (f"{line}  {mark} {note}" if ended else commented,)
    return changes


def _alike(region: Region, rng: Random) -> list[int] | None:
    """Lines of one shape: with the same first words, the same decorators, calls, or ends."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    kind = rng.random()
    for number, line in enumerate(region.lines):
        text = line.strip()
        if len(text) < 3:
            continue
        if kind < 0.35:
            key = text
        elif kind < 0.8:
            found = re.match(r"[@#\w.!]+(?:\s+\w+)?[\s(=:<]*", text)
            key = found.group() if found and found.group().strip() else ""
            if _DEFINED.match(text):
                key = text.split()[0]
        else:
            key = " ".join(_WORD.findall(text)[1:3])
        if key:
            groups[key].append(number)
    often = [found for found in groups.values() if 2 <= len(found) <= 12]
    return rng.choice(often) if often else None


def _template(region: Region, rng: Random) -> str:
    """A line to insert, in which NAME stands for a word of the line at which it is inserted."""
    if rng.random() < 0.45:
        lines = [
            line.strip() for line in region.lines if 5 <= len(line.strip()) < 80 and not line.rstrip().endswith(":")
        ]
        if lines:
            return rng.choice(lines)
    name = rng.choice(list(region.names) or ["value"])
    if region.language == "python":
        choices = [
            f"logger.debug({name})", 'logger.debug("NAME")', 'print("NAME", ' + name + ")", f"self._{name} = NAME",
            f"self.{name} = {name}", "assert NAME is not None", f"{name}: str", f"{name} = None", "@override",
            "@staticmethod", "@property", f"@{name}", f"@pytest.mark.{name}", f'"""{name.capitalize()} the NAME."""',
            f"await self.{name}()", "NAME = NAME.copy()", f"{name}(NAME)", f'"{name}": NAME,', f"{name}={name},",
            f"if {name}:", f"# {name}: NAME", f"global {name}", "raise NotImplementedError", "return NAME",
            f"self.{name}.append(NAME)", f"{name} += 1", f'"NAME": {name},', f"from .{name} import NAME",
        ]  # fmt: skip
    elif region.language == "rust":
        choices = [
            "#[inline]", "#[must_use]", "#[derive(Debug, Clone)]", f"pub {name}: NAME,", f"{name}: None,",
            'debug!("NAME");', f"let {name} = NAME.clone();", f"self.{name}(&NAME)?;", f"/// {name} of NAME",
            f"assert!({name}.NAME);", f"{name}.push(NAME);", f"use super::{name};", "#[test]", f"// {name}",
        ]  # fmt: skip
    else:
        choices = [
            'console.log("NAME");', f"this.{name} = NAME;", f"{name}: NAME,", f"await this.{name}();",
            f"{name}?: string;",
            f"const {name} = NAME;", f"if (!{name}) return;", f"/** {name} of NAME */", f"readonly {name}: NAME;",
            f"expect({name}).toBe(NAME);", f"import {{ NAME }} from './{name}';", f"{name}.push(NAME)", "// NAME",
            f"export {{ NAME }} from './{name}'", "'use strict';", f"assert({name} != null);", f"{name}(NAME);",
        ]  # fmt: skip
    return rng.choice(choices)


def _subject(line: str) -> str:
    """The name that a line is about: what it defines, or its last name."""
    defined = _DEFINED.search(line)
    if defined:
        return defined.group(1)
    names = [name for name in _WORD.findall(line) if name not in KEYWORDS]
    return names[0] if names else "value"
