"""Reads source files from an origin: a folder, a Python wheel, an npm tarball, a Debian package, or a crate of one."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tabspec.errors import InputError
from tabspec.system import processes
from tabspec.train.corpus.filters import MAX_CHARS
from tabspec.train.corpus.languages import language_of
from tabspec.train.corpus.licences import from_debian_copyright, from_python_metadata, is_permissive, licence_of_file

_SKIPPED_FOLDERS = {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", "build", "dist", ".tox", "target"}
_MAX_BYTES = 4 * MAX_CHARS  # a character is at most four bytes of UTF-8


@dataclass(frozen=True, slots=True)
class Project:
    """A package or folder. All its files are trained on, or all are held out."""

    name: str
    version: str
    ecosystem: str  # "python", "npm", "debian" or "folder"
    licence: str  # the statement in the package's metadata, "" if it has none


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of source code. ``path`` is relative to its project. Line ends are ``\\n``."""

    project: Project
    path: str
    language: str
    text: str


def read_origin(path: Path, licence: str = "") -> Iterator[SourceFile]:
    """The source files of an origin: ``*.whl``, ``*.tgz``, ``*.deb``, a crate's folder (with Cargo.toml), or a folder.

    ``licence``: the licence of a folder, which has no metadata. Raises `InputError` if the origin cannot be read.
    """
    try:
        if path.suffix == ".whl":
            yield from _wheel(path)
        elif path.suffix == ".tgz":
            yield from _npm(path)
        elif path.suffix == ".deb":
            yield from _debian(path)
        elif (path / "Cargo.toml").is_file():
            yield from _crate(path)
        elif path.is_dir():
            yield from read_folder(path, Project(path.name, "", "folder", licence))
        else:
            raise InputError(f"{path}: neither a folder nor a package (.whl, .tgz, .deb) of source code")
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def read_folder(root: Path, project: Project) -> Iterator[SourceFile]:
    """The source files under ``root``, in a fixed order. Hidden folders, environments and build folders are skipped."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in _SKIPPED_FOLDERS and not n.startswith("."))
        for name in sorted(files):
            full = Path(folder, name)
            if language_of(name) and full.is_file() and full.stat().st_size <= _MAX_BYTES:
                found = _file(project, full.relative_to(root).as_posix(), full.read_bytes())
                if found:
                    yield found


def _file(project: Project, path: str, data: bytes) -> SourceFile | None:
    language = language_of(path)
    if language is None or len(data) > _MAX_BYTES:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return SourceFile(project, path, language, re.sub(r"\r\n?", "\n", text))


def _wheel(path: Path) -> Iterator[SourceFile]:
    name, version = path.name.split("-")[:2]
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        metadata = next((e for e in entries if e.filename.endswith(".dist-info/METADATA")), None)
        lines = archive.read(metadata).decode("utf-8", "replace").splitlines() if metadata else []
        project = Project(name.replace("_", "-").lower(), version, "python", from_python_metadata(lines))
        for entry in entries:
            if language_of(entry.filename) and entry.file_size <= _MAX_BYTES:
                found = _file(project, entry.filename, archive.read(entry))
                if found:
                    yield found


def _npm(path: Path) -> Iterator[SourceFile]:
    with tarfile.open(path) as archive:
        members = [m for m in archive.getmembers() if m.isfile()]
        manifest = next((m for m in members if re.fullmatch(r"[^/]+/package\.json", m.name)), None)
        about = json.loads(_read(archive, manifest)) if manifest else {}
        licence = about.get("license") or ""
        licence = licence.get("type", "") if isinstance(licence, dict) else str(licence)
        project = Project(str(about.get("name", path.stem)), str(about.get("version", "")), "npm", licence)
        for member in members:
            if language_of(member.name) and member.size <= _MAX_BYTES:
                found = _file(project, member.name.split("/", 1)[-1], _read(archive, member))
                if found:
                    yield found


def _debian(path: Path) -> Iterator[SourceFile]:
    name, version, *_ = [*unquote(path.name).split("_"), ""]
    try:
        data = processes.run(
            ["dpkg-deb", "--fsys-tarfile", str(path.resolve())], check=True, capture_output=True
        ).stdout
    except subprocess.SubprocessError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [m for m in archive.getmembers() if m.isfile()]
        about = next((m for m in members if m.name == f"./usr/share/doc/{name}/copyright"), None)
        text = _read(archive, about).decode("utf-8", "replace") if about else ""
        licences = from_debian_copyright(text)
        project = Project(name, version, "debian", licences.get("*", ""))
        for member in members:
            inside = member.name.removeprefix("./usr/share/")
            licence = licence_of_file(inside, licences)
            if licence != project.licence and not is_permissive(licence):
                continue  # a file of others, which the package may have under another licence
            if language_of(inside) and member.size <= _MAX_BYTES:
                found = _file(project, inside, _read(archive, member))
                if found:
                    yield found


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read() if stream else b""


def _crate(path: Path) -> Iterator[SourceFile]:
    try:
        package = tomllib.loads((path / "Cargo.toml").read_text("utf-8")).get("package", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}/Cargo.toml: {error}") from error
    name, version = str(package.get("name", path.name)), str(package.get("version", ""))
    yield from read_folder(path, Project(name, version, "debian", str(package.get("license", ""))))
