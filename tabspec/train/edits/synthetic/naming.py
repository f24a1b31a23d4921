"""New names for identifiers, as people choose them: other words, affixes, plurals, long forms, another case."""

from __future__ import annotations

import re
from random import Random

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# Words that replace each other, and short forms with their long ones. In both directions.
_PAIRS = (
    "get fetch|get load|get find|get read|load read|find lookup|find search|set update|set assign|make create|"
    "make build|create build|create new|init setup|start begin|start run|stop end|stop close|end finish|add append|"
    "add insert|add register|remove delete|remove drop|delete discard|check validate|check verify|check ensure|"
    "parse decode|parse read|write save|write dump|write emit|send post|send submit|send publish|recv receive|"
    "handle process|handle on|process run|run execute|call invoke|apply run|compute calculate|"
    "calc calculate|convert transform|"
    "to as|is has|item element|item entry|items elements|items entries|value val|value data|data payload|data content|"
    "data info|info details|result output|result response|results outputs|res result|ret result|out output|"
    "input source|src source|dst dest|dest target|source origin|target goal|name title|name label|name key|key id|"
    "id identifier|id uid|idx index|i index|n count|num count|count total|count size|size length|len length|"
    "width w|height h|cfg config|conf config|config settings|config options|opts options|options params|"
    "params args|arg param|kwargs options|ctx context|env environment|msg message|message text|text content|"
    "str text|err error|error exception|e exc|exc error|ex error|req request|resp response|res response|"
    "response reply|conn connection|connection client|client session|db database|sess session|user account|"
    "user owner|users accounts|group team|file path|file document|path filename|filename file|fname filename|"
    "dir folder|dir directory|folder directory|url uri|url link|uri address|host hostname|addr address|"
    "port channel|node vertex|node item|parent owner|child node|children nodes|root base|base parent|tmp temp|"
    "temp buffer|buf buffer|cb callback|callback handler|handler listener|fn func|func function|func callback|"
    "method function|obj object|obj item|cls class|kind type|type kind|mode kind|state status|status state|"
    "flag enabled|enabled active|active enabled|default fallback|old previous|prev previous|cur current|"
    "current active|new next|next following|first head|last tail|min lower|max upper|min minimum|max maximum|"
    "lower low|limit max|limit threshold|timeout deadline|delay wait|interval period|time timestamp|ts timestamp|"
    "date day|now current|log logger|logger log|test check|expected want|actual got|mock fake|spec schema|"
    "schema model|model entity|record row|row record|rows records|col column|cols columns|field attr|"
    "fields attrs|attr attribute|prop property|props properties|tag label|tags labels|pattern regex|"
    "regex matcher|match found|tok token|token word|line row|lines rows|pos position|position offset|"
    "offset start|loc location|location place|point position|x left|y top|color colour|image img|img picture|"
    "btn button|elem element|el element|view widget|page view|event evt|ev event|task job|job task|tasks jobs|"
    "worker thread|queue pending|cache store|store storage|map mapping|map dict|dict mapping|lst items|list items|"
    "arr array|array values|set group|pair entry|left a|right b|manager controller|service manager|"
    "helper util|utils helpers|factory builder|internal private|raw original|clean normalized|is_valid valid"
)
_OTHERS: dict[str, list[str]] = {}
for _pair in _PAIRS.split("|"):
    _a, _b = _pair.split()
    _OTHERS.setdefault(_a, []).append(_b)
    _OTHERS.setdefault(_b, []).append(_a)

_FIRST = "new old raw base current default internal my the user is all has inner safe local async sync"
_LAST = (
    "id name value list map data info path type count index config options key size func impl obj str dict set text "
    "ref url async sync v2 item items handler fn result"
)
_BEFORE, _AFTER = tuple(_FIRST.split()), tuple(_LAST.split())


def new_name(name: str, rng: Random, others: list[str]) -> str:
    """Another name for ``name``. ``others``: names that may be taken as they are."""
    parts = _PARTS.findall(name)
    place = rng.random()
    if place < 0.3 and others:
        found = rng.choice(others)
    elif place < 0.62 and any(part.lower() in _OTHERS for part in parts):
        at = rng.choice([n for n, part in enumerate(parts) if part.lower() in _OTHERS])
        found = _with_part(name, parts, at, rng.choice(_OTHERS[parts[at].lower()]))
    elif place < 0.72 and name[-1:].isalpha():
        found = name[:-1] if name.endswith("s") and len(name) > 3 else name + "s"
    elif place < 0.79:
        found = name[1:] if name.startswith("_") and len(name) > 2 else "_" + name
    elif place < 0.86 and len(parts) > 1:
        found = _joined(name, [part for n, part in enumerate(parts) if n != rng.randrange(len(parts))] or parts)
    elif place < 0.9 and len(parts) > 1:
        found = other_case(name)
    else:
        before = rng.random() < 0.5
        extra = rng.choice(_BEFORE if before else _AFTER)
        found = _joined(name, [extra, *parts] if before else [*parts, extra])
    return found if found.strip("_") and not found[0].isdigit() and found != name else name + "_" + rng.choice(_AFTER)


def other_case(name: str) -> str:
    """The name in snake case if it is in camel case, and the other way round."""
    parts = [part.lower() for part in _PARTS.findall(name)]
    if "_" in name.strip("_") or len(parts) < 2:
        return parts[0] + "".join(part.capitalize() for part in parts[1:]) if parts else name
    return "_".join(parts)


def _with_part(name: str, parts: list[str], at: int, new: str) -> str:
    old = parts[at]
    new = new.upper() if old.isupper() and len(old) > 1 else new.capitalize() if old[0].isupper() else new
    start = 0
    for part in parts[:at]:
        start = name.index(part, start) + len(part)
    start = name.index(old, start)
    return name[:start] + new + name[start + len(old) :]


def _joined(name: str, parts: list[str]) -> str:
    lead = name[: len(name) - len(name.lstrip("_"))]
    words = [part.lower() for part in parts]
    if name.strip("_").isupper() and len(name) > 2:
        return lead + "_".join(words).upper()
    if "_" in name.strip("_") or name.islower():
        return lead + "_".join(words)
    camel = words[0] + "".join(word.capitalize() for word in words[1:])
    return lead + (camel[0].upper() + camel[1:] if name.lstrip("_")[:1].isupper() else camel)
