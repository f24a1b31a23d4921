"""The uses of one kind of container, and the same uses of another kind: one table for each language.

A row is a use of the old kind, and the same use of the new one. In both, ``x`` is the container, ``k`` a key, ``v`` a
value, ``u`` a name that stands for one element, ``f`` a field of it, and ``K`` the key of the value ``v``. In what is
written, ``E`` is a new name for an element, and ``EMPTY`` is Go's value for no content.
"""

from __future__ import annotations

from collections.abc import Mapping

from tabspec.edits.proposals.counterparts.containers.kinds import ContainerKind

Idioms = Mapping[tuple[ContainerKind, ContainerKind], tuple[tuple[str, str], ...]]

_TEXT_TO_LIST_SCRIPT = (
    ("x === v", "x.includes(v)"),
    ("x !== v", "!x.includes(v)"),
    ("${x}", '${x.join(", ")}'),
    ("${x.f()}", '${x.map((E) => E.f()).join(", ")}'),
    ("x.split(v)", "x"),
)
_SCRIPT: Idioms = {
    (ContainerKind.LIST, ContainerKind.RECORD): (
        ("x = x.filter((u) => u.f !== k)", "delete x[k]"),
        ("x.find((u) => u.f === k)", "x[k]"),
        ("x.some((u) => u.f === k)", "k in x"),
        ("x.push(v)", "x[K] = v"),
        ("x.length", "Object.keys(x).length"),
        ("of x)", "of Object.values(x))"),
        ("x.map(", "Object.values(x).map("),
        ("x.forEach(", "Object.values(x).forEach("),
    ),
    (ContainerKind.LIST, ContainerKind.MAP): (
        ("x = x.filter((u) => u.f !== k)", "x.delete(k)"),
        ("x.find((u) => u.f === k)", "x.get(k)"),
        ("x.some((u) => u.f === k)", "x.has(k)"),
        ("x.push(v)", "x.set(K, v)"),
        ("x.length", "x.size"),
        ("of x)", "of x.values())"),
        ("x.map(", "[...x.values()].map("),
        ("x.filter(", "[...x.values()].filter("),
    ),
    (ContainerKind.LIST, ContainerKind.SET): (
        ("x.push(v)", "x.add(v)"),
        ("x.includes(v)", "x.has(v)"),
        ("x.length", "x.size"),
        ("x.map(", "[...x].map("),
        ("x.filter(", "[...x].filter("),
    ),
    (ContainerKind.RECORD, ContainerKind.LISTS): (("x[k] = v", "(x[k] ??= []).push(v)"),),
    (ContainerKind.MAP, ContainerKind.LISTS): (("x.set(k, v)", "x.set(k, [...(x.get(k) ?? []), v])"),),
    (ContainerKind.TEXT, ContainerKind.LIST): _TEXT_TO_LIST_SCRIPT,
    (ContainerKind.OTHER, ContainerKind.LIST): (("x === v", "x.includes(v)"), ("x !== v", "!x.includes(v)")),
}
_PYTHON: Idioms = {
    (ContainerKind.LIST, ContainerKind.SET): (("x.append(v)", "x.add(v)"), ("x.extend(v)", "x.update(v)")),
    (ContainerKind.LIST, ContainerKind.MAP): (
        ("x = [u for u in x if u.f != k]", "x.pop(k, None)"),
        ("next((u for u in x if u.f == k), None)", "x.get(k)"),
        ("next(u for u in x if u.f == k)", "x[k]"),
        ("any(u.f == k for u in x)", "k in x"),
        ("x.append(v)", "x[K] = v"),
        ("in x:", "in x.values():"),
    ),
    (ContainerKind.MAP, ContainerKind.LISTS): (("x[k] = v", "x.setdefault(k, []).append(v)"),),
    (ContainerKind.TEXT, ContainerKind.LIST): (
        ("x == v", "v in x"),
        ("x != v", "v not in x"),
        ("{x}", "{', '.join(x)}"),
        ("{x.f()}", "{', '.join(E.f() for E in x)}"),
        ("x.split(v)", "x"),
        ("x.f()", "[E.f() for E in x]"),
    ),
    (ContainerKind.OTHER, ContainerKind.LIST): (("x == v", "v in x"), ("x != v", "v not in x")),
}
_GO: Idioms = {
    (ContainerKind.LIST, ContainerKind.MAP): (("x = append(x, v)", "x[K] = v"),),
    (ContainerKind.LIST, ContainerKind.SET): (("x = append(x, v)", "x[v] = EMPTY"), ("slices.Contains(x, v)", "x[v]")),
    (ContainerKind.MAP, ContainerKind.LISTS): (("x[k] = v", "x[k] = append(x[k], v)"),),
    (ContainerKind.TEXT, ContainerKind.LIST): (
        ("x == v", "slices.Contains(x, v)"),
        ("x != v", "!slices.Contains(x, v)"),
        ("strings.Split(x, v)", "x"),
        ("strings.f(x)", 'strings.f(strings.Join(x, ", "))'),
    ),
    (ContainerKind.OTHER, ContainerKind.LIST): (
        ("x == v", "slices.Contains(x, v)"),
        ("x != v", "!slices.Contains(x, v)"),
    ),
}
_RUST: Idioms = {
    (ContainerKind.LIST, ContainerKind.SET): (("x.push(v)", "x.insert(v)"),),
    (ContainerKind.LIST, ContainerKind.MAP): (
        ("x.iter().find(|u| u.f == k)", "x.get(&k)"),
        ("x.iter_mut().find(|u| u.f == k)", "x.get_mut(&k)"),
        ("x.iter().any(|u| u.f == k)", "x.contains_key(&k)"),
        ("x.retain(|u| u.f != k)", "x.remove(&k)"),
        ("x.push(v)", "x.insert(K, v)"),
        ("x.iter()", "x.values()"),
    ),
    (ContainerKind.MAP, ContainerKind.LISTS): (("x.insert(k, v)", "x.entry(k).or_default().push(v)"),),
    (ContainerKind.TEXT, ContainerKind.LIST): (("x == v", "x.contains(&v)"), ("x != v", "!x.contains(&v)")),
}
_JAVA: Idioms = {
    (ContainerKind.LIST, ContainerKind.MAP): (
        ("x.stream().filter(u -> u.f.equals(k)).findFirst().orElse(null)", "x.get(k)"),
        ("x.removeIf(u -> u.f.equals(k))", "x.remove(k)"),
        ("x.add(v)", "x.put(K, v)"),
        (": x)", ": x.values())"),
    ),
    (ContainerKind.MAP, ContainerKind.LISTS): (
        ("x.put(k, v)", "x.computeIfAbsent(k, key -> new ArrayList<>()).add(v)"),
    ),
    (ContainerKind.TEXT, ContainerKind.LIST): (("x.equals(v)", "x.contains(v)"), ("x.split(v)", "x")),
}
IDIOMS: Mapping[str, Idioms] = {
    "python": _PYTHON,
    "go": _GO,
    "rust": _RUST,
    "java": _JAVA,
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
}
