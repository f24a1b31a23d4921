"""Which files are left alone: never read into a prompt, never sent, never recorded.

Patterns are those of gitignore, matched without regard to case. The built-in ones name files that hold secrets. A
`.tabspecignore` in a workspace folder adds to them, or takes back (``!.env.development``), for the files in that
folder. `IgnoreRules.ignored` is the only function that decides.
"""

from __future__ import annotations

import logging
import os
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path, PurePath, PurePosixPath

import re2
from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from tabspec.errors import InputError
from tabspec.ignore_file import FILE_NAME, RulesError, read_rules
from tabspec.uris import uri_path

log = logging.getLogger(__name__)

# Gitignore lines by their subject, in lower case.
_SECRETS = {
    "environment": ".env .env.* *.env .envrc .renviron .dev.vars local.settings.json"
    " !.env.example !.env.sample !.env.template",
    "keys and certificates": "*.pem *.key *.p8 *.p12 *.pfx *.ppk *.jks *.keystore *.crt *.cer *.der *.asc *.gpg *.age"
    " *.agekey *.jwk *.keytab *.bks *.snk id_rsa* id_dsa* id_ecdsa* id_ed25519* id_xmss* .ssh/ .gnupg/ authorized_keys"
    " known_hosts *.ovpn *.mobileprovision wg[0-9].conf wg-*.conf wireguard/*.conf",
    "credentials": "credentials credentials.* .credentials* .git-credentials .netrc _netrc .pgpass pgpass.conf .my.cnf"
    " .mylogin.cnf .npmrc .yarnrc.yml .pypirc .htpasswd .htdigest *.kdbx *.kdb .vault-token secret.* secrets.*"
    " *.secrets service-account*.json service_account*.json *.tfvars *.tfvars.json *.tfstate *.tfstate.backup"
    " .terraformrc terraform.rc .s3cfg .boto .dockercfg .dockerconfigjson .databrickscfg .smbcredentials .msmtprc"
    " .fetchmailrc .passwd-s3fs rclone.conf kaggle.json .aws/ .azure/ .config/gcloud/ .config/gh/ .docker/config.json"
    " wp-config.php .oci/ .snowsql/ .cargo/credentials* .gem/credentials .composer/auth.json .m2/settings.xml",
    "clusters": "kubeconfig *.kubeconfig .kube/",
    "histories of shells and consoles": ".*_history .*history fish_history consolehost_history.txt",
}

DEFAULT_PATTERNS = tuple(pattern for patterns in _SECRETS.values() for pattern in patterns.split())

# macOS's PATH_MAX; files with longer paths are ignored. The time that matching takes grows with a path's length: for a
# thousand of the slowest rules found and a path of this length, it is 0.1 s.
_LONGEST_PATH = 1_024
# What editors and people append to the name of a copy: it holds what the file holds.
_COPY = re.compile(r"(?:~|\.(?:bak|backup|old|orig|save|sw[a-p]|tmp|copy))$")


class IgnoreRules:
    """The rules of some workspace folders. ``rules`` maps each folder to the lines of its own file, or to None where
    they cannot be known: then all files in that folder are ignored.

    ``problems``: lines for the user about rules files that are not applied as they were written.
    """

    def __init__(self, rules: Mapping[PurePath, Iterable[str] | None] | None = None, problems: Iterable[str] = ()):
        self.lines = {folder: None if lines is None else tuple(lines) for folder, lines in (rules or {}).items()}
        found = list(problems)
        # Two folders can have one key: both are asked then.
        self._folders: dict[str, list[GitIgnoreSpec | None]] = {}
        for folder, lines in self.lines.items():
            try:
                spec = None if lines is None else _spec([*DEFAULT_PATTERNS, *lines], folder, found)
            except re2.error:
                found.append(_closed(folder, "its patterns are too large"))
                spec = None
            for key in {_key(str(folder)), _key(_resolved(str(folder)))}:
                self._folders.setdefault(key, []).append(spec)
        self.problems = tuple(found)
        self.closed = any(None in specs for specs in self._folders.values())
        """Whether all files of a folder are ignored, since its rules cannot be known."""
        self._decided = lru_cache(maxsize=4_096)(self._decide)  # paths; a workspace's open and imported files

    @classmethod
    def read(cls, folders: Iterable[Path]) -> IgnoreRules:
        """The rules of these folders, from their files. Where a file is there but cannot be read, `problems` has a
        line about it and its folder's files are all ignored. Blocks: call it in a thread where a loop is running."""
        rules: dict[PurePath, Iterable[str] | None] = {}
        problems: list[str] = []
        for folder in folders:
            try:
                found = read_rules(folder / FILE_NAME)
            except RulesError as error:
                rules[folder] = None
                problems.append(_closed(folder, str(error)))
                continue
            if found is None:  # the rules of a folder around it hold
                continue
            rules[folder] = found.lines
            problems += [f"{folder / FILE_NAME}: {found.problem}"] if found.problem else []
        read = cls(rules, problems)
        for problem in read.problems:
            log.warning("%s", problem)
        return read

    @classmethod
    def around(cls, path: Path) -> IgnoreRules:
        """The rules for a file that no workspace is known of: those of all folders above it, and above the file that
        it is a link to, that have a rules file."""
        folders = {*path.absolute().parents, *Path(_resolved(str(path.absolute()))).parents}
        return cls.read(sorted(folder for folder in folders if os.path.lexists(folder / FILE_NAME)))

    def refuse(self, uri: str, shown: object) -> None:
        """Raise `InputError`, with the name that the user knows it by, if the document is to be left alone."""
        if self.ignored(uri):
            because = f" ({'; '.join(self.problems)})" if self.problems else ""
            raise InputError(
                f"{shown}: ignore rules name it (built-in ones, or {FILE_NAME}), so it is left alone{because}"
            )

    def ignored(self, uri: str) -> bool:
        """Whether the document with this URI is to be left alone: by its own name, or by that of the file that it is a
        link to.

        Of the folders that hold it, the innermost that has rules decides; outside of all, the built-in ones do.
        """
        path = str(path_of(uri))
        if len(path) > _LONGEST_PATH:
            return True
        return any(self._decided(_key(name)) for name in {path, _resolved(path)})

    def _decide(self, path: str) -> bool:
        folder = next((above for above in _above(path) if above in self._folders), None)
        specs = [_default()] if folder is None else self._folders[folder]
        inner = path.lstrip("/") if folder is None else path[len(folder) :].lstrip("/")
        for name in {inner, _COPY.sub("", inner)}:
            if any(spec is None or spec.match_file(name) for spec in specs):
                return True
        return False


def _above(path: str) -> Iterator[str]:
    """The folders that hold ``path``, the innermost first."""
    return (str(folder) for folder in PurePosixPath(path).parents)


def _closed(folder: PurePath, why: str) -> str:
    return f"{folder / FILE_NAME}: {why}; until this is fixed, all files in {folder} are left alone"


@cache
def _default() -> GitIgnoreSpec:
    return _spec(DEFAULT_PATTERNS, PurePath(), [])


def _spec(lines: Iterable[str], folder: PurePath, problems: list[str]) -> GitIgnoreSpec:
    """Patterns from lines. One that cannot be understood is left out, as in Git, and ``problems`` gets a line about it.

    Raises re2.error. pathspec writes each pattern as a regular expression; Python's matcher takes exponential time for
    some of them (many stars in a rule), so they are given to RE2, whose time is linear in rule and path.
    """
    options = re2.Options()
    options.log_errors = False
    good, bad = [], []
    for line in lines:
        try:
            with warnings.catch_warnings():  # of signs that may get another meaning in Python's regular expressions
                warnings.simplefilter("ignore", FutureWarning)
                pattern = GitIgnoreSpecPattern(_folded(line))
        except (ValueError, re.error):
            bad.append(line)
            continue
        if pattern.regex is not None:
            pattern.regex = re2.compile(pattern.regex.pattern, options)
        good.append(pattern)
    if bad:
        others = f" (like {len(bad) - 1} others)" if len(bad) > 1 else ""
        problems.append(f"{folder / FILE_NAME}: {bad[0][:80]!r} is not a valid pattern, so it is not applied{others}")
    return GitIgnoreSpec(good, backend="simple")


# Bytes of a name that are not UTF-8 are read as Latin-1, as in a rules file. (Python has a surrogate for each.)
_BYTES = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}


def _folded(text: str) -> str:
    """Without case, with accents in one form (macOS has its own), and without surrogates, which RE2 cannot take."""
    text = text.translate(_BYTES) if not text.isascii() else text
    return unicodedata.normalize("NFC", text.casefold()).encode("utf-8", "replace").decode("utf-8")


def _key(path: str) -> str:
    """A path as it is compared."""
    path = os.path.normpath(path) if path else path
    return _folded(path.replace("\\", "/") if os.name == "nt" else path)


def _resolved(path: str) -> str:
    """Where the links in a path lead; the path itself where that cannot be found out."""
    try:
        return os.path.realpath(path) if PurePath(path).is_absolute() else path
    except (OSError, ValueError):  # ValueError: a NUL in it
        return path


def path_of(uri: str) -> PurePath:
    """The path that a URI names; for schemes other than `file`, the part in its place."""
    path = uri_path(uri)
    if os.name == "nt" and path[2:3] == ":":  # file:///c:/...
        path = path.lstrip("/")
    return PurePath(path)
