"""Candidate paths of the files that a document imports, from its text alone. The caller checks which of them exist.

No build system is asked and no search path is known. A name is searched for in the document's folder and in the folders
above it, up to the workspace folder. Files that are installed elsewhere are not found, on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import PurePath

# Imports are usually at the beginning of a file. One far down in a long file is rarely relevant to the code there.
_SEEN_CHARS = 20_000

_PYTHON = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|.*)|import[ \t]+([\w., \t]+))", re.M
)
_SCRIPT = re.compile(r"""(?:\bfrom|\bimport|\brequire\(|\bimport\()\s*["'](\.{1,2}/[^"'\n]+)["']""")
_RUST = re.compile(
    r"^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?(?:mod[ \t]+(\w+)[ \t]*;|use[ \t]+(crate|super|self)::([\w:]+))", re.M
)
_C = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"\n]+)"', re.M)

_SCRIPT_ENDINGS = ("", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".svelte", ".vue", "/index.ts", "/index.tsx", "/index.js")


def imported(path: PurePath, text: str, language: str, root: PurePath) -> tuple[tuple[PurePath, ...], ...]:
    """For each import of the document at ``path``, in order: the paths that it may mean, the likeliest first.

    ``root`` is the workspace folder that holds the document; no path leads out of it. Languages that are not known
    import nothing.
    """
    find = _LANGUAGES.get(language)
    if find is None or not path.is_relative_to(root):
        return ()
    found = (tuple(p for p in paths if p.is_relative_to(root)) for paths in find(path, text[:_SEEN_CHARS], root))
    return tuple(dict.fromkeys(paths for paths in found if paths))


def _python(path: PurePath, text: str, root: PurePath) -> Iterator[tuple[PurePath, ...]]:
    for dots, module, wanted, plain in _PYTHON.findall(text):
        if plain:
            for name in plain.split(","):
                yield tuple(_absolute(path, name.split()[0].split("."), root)) if name.split() else ()
            continue
        parts = module.split(".") if module else []
        names = [name.split()[0] for name in wanted.strip("()").split(",") if name.split()]
        for name in names:  # `from package import module`
            if name.isidentifier():
                yield tuple(_module(path, dots, [*parts, name], root))
        if parts:
            yield tuple(_module(path, dots, parts, root))


def _module(path: PurePath, dots: str, parts: list[str], root: PurePath) -> Iterator[PurePath]:
    if not dots:
        yield from _absolute(path, parts, root)
        return
    if len(dots) <= len(path.parents):
        yield from _files(path.parents[len(dots) - 1], parts)


def _absolute(path: PurePath, parts: list[str], root: PurePath) -> Iterator[PurePath]:
    for folder in path.parents:
        yield from _files(folder, parts)
        if folder == root:
            return


def _files(folder: PurePath, parts: list[str]) -> Iterator[PurePath]:
    target = folder.joinpath(*parts)
    yield target.with_name(target.name + ".py")
    yield target / "__init__.py"


def _script(path: PurePath, text: str, root: PurePath) -> Iterator[tuple[PurePath, ...]]:
    for name in _SCRIPT.findall(text):
        target = _joined(path.parent, name)
        if target is not None:
            # TypeScript imports name the compiled file, not the source file
            bare = target.with_suffix("") if target.suffix in (".js", ".mjs", ".jsx") else target
            names = dict.fromkeys((str(target), str(bare)))
            yield tuple(PurePath(each + ending) for each in names for ending in _SCRIPT_ENDINGS)


def _rust(path: PurePath, text: str, root: PurePath) -> Iterator[tuple[PurePath, ...]]:
    own = path.parent if path.stem in ("mod", "lib", "main") else path.with_suffix("")
    crate = next((folder for folder in path.parents if folder.name == "src"), path.parent)
    for module, base, names in _RUST.findall(text):
        folder = own if module else {"crate": crate, "self": own, "super": own.parent}[base]
        parts = [module] if module else [part for part in names.split("::") if part]
        yield tuple(
            each
            for count in range(len(parts), 0, -1)  # the statement does not show how many of the names are modules
            for each in (
                folder.joinpath(*parts[: count - 1], parts[count - 1] + ".rs"),
                folder.joinpath(*parts[:count], "mod.rs"),
            )
        )


def _c(path: PurePath, text: str, root: PurePath) -> Iterator[tuple[PurePath, ...]]:
    for name in _C.findall(text):
        target = _joined(path.parent, name)
        if target is not None:
            yield tuple(
                each
                for header in (target, root / name, root / "include" / name)
                for each in (header, header.with_suffix(".c"), header.with_suffix(".cpp"))
            )


def _joined(folder: PurePath, name: str) -> PurePath | None:
    """``folder / name`` with its dots resolved; None if they lead above the root."""
    for part in name.split("/"):
        if part == "..":
            if folder == folder.parent:
                return None
            folder = folder.parent
        elif part not in ("", "."):
            folder = folder / part
    return folder


_Find = Callable[[PurePath, str, PurePath], Iterator[tuple[PurePath, ...]]]
_LANGUAGES: dict[str, _Find] = {
    "python": _python,
    "rust": _rust,
    "c": _c,
    "cpp": _c,
    **dict.fromkeys(("javascript", "javascriptreact", "typescript", "typescriptreact", "svelte", "vue"), _script),
}
