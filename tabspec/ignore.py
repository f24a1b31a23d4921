"""Which files are left alone: never read into a prompt, never sent, never recorded.

Patterns are those of gitignore. The built-in ones name what holds secrets; a `.tabspecignore` in a workspace folder
adds to them, or takes back (``!.env.development``), for the files in that folder.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from pathspec import GitIgnoreSpec

from tabspec.errors import InputError
from tabspec.uris import uri_path

log = logging.getLogger(__name__)

FILE_NAME = ".tabspecignore"

# Gitignore lines by what they are about.
_SECRETS = {
    "environment": ".env .env.* *.env .envrc !.env.example !.env.sample !.env.template",
    "keys and certificates": "*.pem *.key *.p8 *.p12 *.pfx *.ppk *.jks *.keystore *.crt *.cer *.der *.asc *.gpg *.age"
    " id_rsa* id_dsa* id_ecdsa* id_ed25519* .ssh/ .gnupg/ authorized_keys known_hosts *.ovpn *.mobileprovision",
    "credentials": "credentials credentials.* .credentials* .git-credentials .netrc _netrc .pgpass .my.cnf .npmrc"
    " .pypirc .htpasswd *.kdbx .vault-token secret.* secrets.* *.secrets service-account*.json *.tfvars *.tfstate"
    " *.tfstate.backup .aws/ .azure/ .config/gcloud/ .config/gh/ .docker/config.json",
    "clusters": "kubeconfig *.kubeconfig .kube/",
    "histories of shells and consoles": ".*_history .*history fish_history ConsoleHost_history.txt",
}

DEFAULT_PATTERNS = tuple(pattern for patterns in _SECRETS.values() for pattern in patterns.split())


class IgnoreRules:
    """The rules of some workspace folders. ``rules`` maps each folder to the lines of its own file."""

    def __init__(self, rules: Mapping[PurePath, Iterable[str]] | None = None) -> None:
        self._default = _spec(DEFAULT_PATTERNS)
        self._folders = {folder: _spec([*DEFAULT_PATTERNS, *lines]) for folder, lines in (rules or {}).items()}

    @classmethod
    def read(cls, folders: Iterable[Path]) -> IgnoreRules:
        """The rules of these folders, from their files. One that cannot be read is taken as empty, and logged."""
        rules: dict[PurePath, list[str]] = {}
        for folder in folders:
            try:
                rules[folder] = (folder / FILE_NAME).read_text(encoding="utf-8").splitlines()
            except FileNotFoundError:
                rules[folder] = []
            except (OSError, ValueError) as error:
                log.warning("%s cannot be read: %s", folder / FILE_NAME, error)
                rules[folder] = []
        return cls(rules)

    @classmethod
    def around(cls, path: Path) -> IgnoreRules:
        """The rules for a file that no workspace is known of: those of all folders above it that have a rules file."""
        return cls.read([folder for folder in path.resolve().parents if (folder / FILE_NAME).is_file()])

    def refuse(self, uri: str, shown: object) -> None:
        """Raise `InputError`, with the name that the user knows it by, if the document is to be left alone."""
        if self.ignored(uri):
            raise InputError(f"{shown}: ignore rules name it (built-in ones, or {FILE_NAME}), so it is left alone")

    def ignored(self, uri: str) -> bool:
        """Whether the document with this URI is to be left alone.

        The rules of the innermost folder that holds it decide; outside of all folders, the built-in ones.
        """
        path = path_of(uri)
        inside = [folder for folder in self._folders if path.is_relative_to(folder)]
        if not inside:
            return self._default.match_file(str(path).lstrip("/"))
        folder = max(inside, key=lambda folder: len(folder.parts))
        return self._folders[folder].match_file(path.relative_to(folder).as_posix())


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    """Patterns from lines; one that cannot be understood is left out, and logged."""
    good = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error) as error:
            log.warning("%s: %r: %s", FILE_NAME, line, error)
        else:
            good.append(line)
    return GitIgnoreSpec.from_lines(good)


def path_of(uri: str) -> PurePath:
    """The path that a URI names; for schemes other than `file`, what stands there in its place."""
    path = uri_path(uri)
    if os.name == "nt" and path[2:3] == ":":  # file:///c:/...
        path = path.lstrip("/")
    return PurePath(path)
