"""Runs git on a repository that is not trusted.

A repository's configuration can name programs that git runs. So callers use only commands that read objects. The
user's and the system's configuration are not read, and settings for fetching, filters and hooks are overridden.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from tabspec.errors import SessionError

# Listing the commits of a large repository takes seconds.
TIMEOUT_S = 120
# Listings of the largest public repositories take about 50 MB.
MOST_BYTES = 256 << 20

_SETTINGS = {
    # The repository may belong to another user: this user named it, and its settings that run programs are overridden.
    "safe.directory": "*",
    "protocol.allow": "never",  # a partial clone fetches missing objects by programs that its configuration names
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.sshCommand": "false",
    "core.gitProxy": "",
    "core.askPass": "",
    "core.pager": "cat",
    "core.alternateRefsCommand": "",
    "credential.helper": "",
    "diff.external": "",
    "log.showSignature": "false",
    "gpg.program": "false",
    "gpg.ssh.program": "false",
    "gpg.x509.program": "false",
}
_OPTIONS = ["--no-pager", *(part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}"))]


def run_git(
    root: Path, *arguments: str, most_bytes: int = MOST_BYTES, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run git in ``root`` and return its output. ``given`` is its input. An output of more than ``most_bytes`` is a
    failure (return code 1).

    Raises `SessionError` if git is not installed or does not end within `TIMEOUT_S`.
    """
    command = ["git", "-C", str(root), *_OPTIONS, *arguments]
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as lines:
        lines.write(given)
        lines.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=lines,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(),
                start_new_session=True,  # a process group, so that child processes can be killed, too
            )
        except FileNotFoundError:
            raise SessionError("git is not installed, but reading a repository needs it") from None
        late = threading.Event()

        def end() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(TIMEOUT_S, end)
        timer.start()
        try:
            with process:
                assert process.stdout is not None  # a pipe was asked for
                data = process.stdout.read(most_bytes + 1)
                if len(data) > most_bytes:
                    _kill(process)
        finally:
            timer.cancel()
            if process.poll() is None:
                _kill(process)
        if late.is_set():
            raise SessionError(f"{root}: git did not answer within {TIMEOUT_S} s")
        errors.seek(0)
        messages = errors.read(1 << 16)
    if len(data) > most_bytes:
        return subprocess.CompletedProcess(command, 1, b"", b"fatal: more output than can be used")
    return subprocess.CompletedProcess(command, process.returncode, data, messages)


def _environment() -> dict[str, str]:
    """This process's environment without git's variables, plus those that disable configuration and the network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_ASKPASS"))}
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:  # it has ended
        pass
