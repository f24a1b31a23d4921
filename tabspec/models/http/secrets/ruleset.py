"""Rules in gitleaks' format: its own (`gitleaks.toml`, unchanged, under the licence in this folder), and ours.

A rule is tried only if one of its keywords occurs, as in gitleaks. Its regular expressions are written for Go's RE2,
and RE2 runs them unchanged.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any

from tabspec.models.http.secrets.spans import SecretSpan, compiled, entropy


@cache
def gitleaks() -> Ruleset:
    """The rules of gitleaks."""
    return Ruleset("gitleaks.toml")


@cache
def ours() -> Ruleset:
    """Rules for kinds that gitleaks does not have."""
    return Ruleset("ours.toml")


class Ruleset:
    """The rules of one file in this folder."""

    def __init__(self, file: str) -> None:
        content = tomllib.loads(files(__package__).joinpath(file).read_text("utf-8"))
        self._allowed = _Allowed(content.get("allowlist", {}))
        rules = [SecretRule(entry) for entry in content["rules"] if "regex" in entry]
        self._by_word = {
            word: [rule for rule in rules if word in rule.keywords]
            for word in {w for rule in rules for w in rule.keywords}
        }
        # The lines of some windows: while a line is typed, only that line is searched again (a window takes 1 ms).
        self._words_in = lru_cache(maxsize=4_096)(self._find_words)

    def search(self, text: str, name: str) -> Iterator[SecretSpan]:
        """Places in ``text``, from a file called ``name``, that match a rule."""
        words = set[str]().union(*map(self._words_in, text.split("\n")))
        tried = {id(rule): rule for word in words for rule in self._by_word[word]}
        for rule in tried.values():
            if rule.path is not None and not rule.path.search(name):
                continue
            for match in rule.regex.finditer(text):
                secret = rule.secret(match)
                if rule.entropy and entropy(secret) <= rule.entropy:
                    continue
                line = _line(text, match.start(), match.end())
                if not any(allowed.allows(secret, match.group(), line) for allowed in (self._allowed, *rule.allowed)):
                    yield SecretSpan(rule.kind, match.start(), match.end())

    def _find_words(self, line: str) -> tuple[str, ...]:
        lower = line.lower()
        return tuple(word for word in self._by_word if word in lower)


class SecretRule:
    """One rule. Its regular expression is compiled when it is first tried: compiling all rules takes 0.2 s."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.kind: str = entry["id"].replace("-", " ")
        self.keywords = [word.lower() for word in entry["keywords"]]
        self.entropy: float = entry.get("entropy", 0.0)
        self.path = re.compile(entry["path"]) if "path" in entry else None
        # Allowed paths are not used: a file may be allowed in a repository, and still must not be sent to a server.
        self.allowed = [_Allowed(each) for each in entry.get("allowlists", ())]
        self._pattern: str = entry["regex"]
        self._group: int = entry.get("secretGroup", 0)

    @cached_property
    def regex(self) -> Any:
        """Compiled by RE2."""
        return compiled(self._pattern)

    def secret(self, match: Any) -> str:
        """The part of a match that is the secret."""
        chosen = [match.group(self._group)] if self._group else match.groups()
        return str(next((group for group in chosen if group), match.group()))


class _Allowed:
    """Exceptions: texts that are no secret although a rule matches."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self._patterns: list[str] = entry.get("regexes", [])
        self._stopwords = [word.lower() for word in entry.get("stopwords", ())]
        self._target: str = entry.get("regexTarget", "secret")
        self._both = entry.get("condition", "OR").upper() in ("AND", "&&") and "paths" not in entry

    @cached_property
    def _regexes(self) -> list[Any]:
        return [compiled(pattern) for pattern in self._patterns]

    def allows(self, secret: str, match: str, line: str) -> bool:
        target = {"match": match, "line": line}.get(self._target, secret)
        fits = any(regex.search(target) for regex in self._regexes)
        lower = secret.lower()
        stops = any(word in lower for word in self._stopwords)
        return fits and stops if self._both and self._stopwords and self._patterns else fits or stops


def _line(text: str, start: int, end: int) -> str:
    last = text.find("\n", end)
    return text[text.rfind("\n", 0, start) + 1 : last if last >= 0 else len(text)]
