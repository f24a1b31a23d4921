"""Values of names like ``password``: in quotes, without quotes in configuration files, and in typical forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tabspec.models.http.secrets.spans import SecretSpan, compiled

_STRONG = (
    r"pass(?:word|wd|phrase|code)|pwd|passwort|secret|api[_.-]?key|apikey|access[_.-]?key|auth[_.-]?key"
    r"|private[_.-]?key|encryption[_.-]?key|signing[_.-]?key|master[_.-]?key|account[_.-]?key|shared[_.-]?key"
    r"|seed[_.-]?phrase|webhook[_.-]?url"
)
# These words have other meanings, too: a parser's tokens, a pass of a compiler.
_WEAK = r"token|credentials?|pass|mnemonic"
NAMES = rf"{_STRONG}|{_WEAK}"
"""Parts of names whose values are secrets."""

# Ends of such names whose value describes a secret and is not one.
_ABOUT = re.compile(
    r"(?:name|ref|file|path|dir|policy|length|len|min|max|type|kind|id|ids|url|uri|endpoint|ttl|expiry|expires?(?:_?in)?"
    r"|timeout|count|limit|size|enabled|required|method|algorithm|header|field|key_?names?|provider|manager|store|version"
    r"|prompt|label|hint|arn|format|issuer|class"
    r"|rotation|strength|hash_?cost|scope|pattern|placeholder|regex|template|message|error|text|title|usage|test)s?$",
    re.IGNORECASE,
)
# Texts in place of a value: references, commands, types, words that ask for a value.
_NO_VALUE = re.compile(
    r"""^(?:(?:true|false|null|nil|none|undefined|yes|no|on|off|string|str|number|int|bool(?:ean)?|required|optional|inherit
    |password|passwd|secrets?|tokens?|default|empty|unset|auto|ask|prompt|env|file|vault|write|read|admin|root|x{3,}
    |changeme|change[_-]me|todo|fixme|examples?|placeholder|redacted|hidden|dummy|null,?|secret[_-]?key)
    |\.{2,}|-+|_+|[*•]+|your[_-].*|my[_-](?:password|secret|token)|/(?:etc|run|var|home|usr|opt|tmp|mnt|proc|dev)/.*|~/.*
    |\.{1,2}/.*|.*\$\{.*|(?-i:.*\$[A-Z_]{3,}.*)|[\w.:]+\(.*\)[;,]?
    |[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)$""",
    re.IGNORECASE | re.VERBOSE,
)
# Beginnings of references, tags, comments and operators: without quotes, and in quotes.
_BARE_REFERENCE = re.compile(r"[$%<{\[(|>&*!#=:,;)\]}]")
_QUOTED_REFERENCE = re.compile(r"\$[{(]|\$\w+$|[{<\[]|%[({A-Z]")

_IS_STRONG = re.compile(_STRONG, re.IGNORECASE)
_SHORT = 8

# A value in quotes, after its name and possibly a type.
_QUOTED = compiled(
    rf"(?i)(?P<name>[\w.-]{{0,40}}(?:{NAMES})[\w.-]{{0,30}})[\"']?\]?\s*(?::\s*[\w.<>|?& ]{{1,30}})?"
    r"(=>|:=|\?=|[:=,]|===?)\s*[rbuf]?(?:\"(?P<value>[^\"\n]{3,200})\"|'([^'\n]{3,200})'|`([^`\n]{3,200})`)"
)
_ASSIGNED = compiled(
    r"(?im)(?:^|[\s;{,?&'\"-])[\"']?(?P<name>[\w.-]{0,40}?(?:" + NAMES + r")[\w.-]{0,30})[\"']?"
    r"(?:[ \t]*(?:=>|:=|\?=|\+=|[:=])[ \t]*|(?P<gap>[ \t]+))(?P<value>\"[^\"\n]{3,}\"|'[^'\n]{3,}'|[^\s\"',;&]{4,200})"
)
_PASSWORD = r"(?:passw(?:or)?d|passphrase|secret|token|api_?key)"
_CONNECTION = r"(?:password|pwd|accountkey|sharedaccesskey|sharedsecret)[ \t]?=[ \t]?"
_OPTION = r"[\"']?(?P<value>[^\s\"'-][^\s\"']{3,200})"
# Forms that hold a password in files of any type.
_FORMS = [
    (kind, compiled(pattern))
    for kind, pattern in (
        ("password in an element", rf"(?i)<(?:\w+:)?\w*{_PASSWORD}\w*>(?P<value>[^<\s]{{4,200}})</"),
        (
            "password in an attribute",
            rf"(?i)(?:key|name)\s*=\s*[\"'][\w.:-]{{0,40}}{_PASSWORD}[\w.-]{{0,20}}[\"']\s+value\s*=\s*"
            r"[\"'](?P<value>[^\"'\n]{4,200})[\"']",
        ),
        (
            "password of a command",
            r"(?i)--[\w-]{0,30}(?:password|passwd|passphrase|secret|token|api-key|access-key)(?:=|[ \t]+)" + _OPTION,
        ),
        (
            "password of a command",
            r"(?:\bsshpass[ \t]+-p[ \t]*|\bmysql(?:dump|admin)?\b[^\n]{0,80}?[ \t]-p"
            r"|\bdocker[ \t]+login\b[^\n]{0,80}?[ \t]-p[ \t]+)" + _OPTION,
        ),
        ("netrc password", r"(?m)\blogin[ \t]+\S+[ \t\n]+password[ \t]+(?P<value>\S{4,200})"),
        ("password in a connection string", rf"(?i)[;?&][ \t]?{_CONNECTION}(?P<value>[^;&\s\"'<>]{{4,200}})"),
        ("password in a connection string", rf"(?i)[\"']{_CONNECTION}(?P<value>[^;&\s\"'<>]{{4,200}});"),
        ("password in a data source name", r"[\w.-]{1,40}:(?P<value>[^@\s:/\"']{4,80})@(?:tcp|unix|udp)\("),
    )
]

# Languages in which texts are in quotes.
_CODE = re.compile(
    r"\.(?:c|h|cc|cpp|cxx|hh|hpp|cs|go|java|[cm]?[jt]sx?|kts?|lua|mm?|php|p[lm]|py[ix]?|r|rb|rs|scala|svelte|swift|vue|zig"
    r"|dart|exs?|erl|hs|ml|fs|cljs?|jl|vb|sol|html?|css|scss|less|svg|ipynb|asm|s|v|vhd|proto|g(?:raph)?ql|tf|hcl|toml|nix"
    r"|json|gradle)$",
    re.IGNORECASE,
)
_PROSE = re.compile(r"\.(?:md|markdown|rst|txt|adoc|tex|org)$", re.IGNORECASE)


def is_code(name: str) -> bool:
    """Whether texts are in quotes in files of this name. True for "", False for an unknown type."""
    return not name or _CODE.search(name) is not None


def is_value(text: str, *, quoted: bool = False) -> bool:
    """Whether the text after such a name is a value, and not a reference to a value or a word that asks for one."""
    reference = _QUOTED_REFERENCE if quoted else _BARE_REFERENCE
    return len(text) > 0 and not reference.match(text) and not _NO_VALUE.match(text)


def about(name: str) -> bool:
    """Whether the value of such a name describes a secret and is not one."""
    return _ABOUT.search(name) is not None


def is_made_of_words(name: str, value: str) -> bool:
    """Whether a value is more likely a word of the program: after ambiguous names, a short value or one without a
    digit; after all names, a sentence."""
    if not _IS_STRONG.search(name) and (len(value) < _SHORT or not any(map(str.isdigit, value))):
        return True
    return value.count(" ") >= 2 and "phrase" not in name.lower() and "mnemonic" not in name.lower()


def search(text: str, name: str) -> Iterator[SecretSpan]:
    """Places in ``text`` with such a name and its value."""
    for kind, pattern in _FORMS:
        for match in pattern.finditer(text):
            if is_value(match.group("value")):
                yield SecretSpan(kind, match.start(), match.end())
    for match in _QUOTED.finditer(text):
        named, value = match.group(1), match.group(3) or match.group(4) or match.group(5)
        if match.group(2) == "," and not any(map(str.isdigit, value)):  # a list of names
            continue
        if is_value(value, quoted=True) and not about(named) and not is_made_of_words(named, value):
            yield SecretSpan("password", match.start(), match.end())
    if is_code(name):
        return
    prose = _PROSE.search(name)
    for match in _ASSIGNED.finditer(text):
        value = match.group("value").strip("\"'")
        if about(match.group("name")) or not is_value(value, quoted=value != match.group("value")):
            continue
        if match.group("gap") and not _spaced(name, text, match.start(1)):
            continue
        if prose and (len(value) < 8 or value.isalpha() or not any(map(str.isdigit, value))):
            continue
        yield SecretSpan("password without quotes", match.start(), match.end())


def _spaced(name: str, text: str, at: int) -> bool:
    """Whether spaces may separate a name from its value: in Dockerfiles' ENV and in configurations of daemons."""
    line = text[text.rfind("\n", 0, at) + 1 : at].strip()
    suffix = PurePosixPath(name).suffix.lower()
    return line.upper() in ("ENV", "ARG", "SETENV") or (not line and suffix in (".conf", ".cnf", ".cfg", ".rc"))
