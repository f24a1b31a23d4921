"""Text that looks like a secret is not sent off the machine.

What one looks like is known to detect-secrets: keys of well-known services, private keys, passwords in addresses and
behind names like ``password``. Of it only the patterns are used: nothing is looked up anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import import_module
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

# All plugins that match a pattern. Those that measure entropy are left out: of three hashes in a source file, they call
# three a secret, and there would be no suggestions in such files.
_PLUGINS = (
    ("artifactory", "ArtifactoryDetector"),
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("jwt", "JwtTokenDetector"),
    ("keyword", "KeywordDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("private_key", "PrivateKeyDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
# Longer lines (data, minified code) are looked at in pieces, so that no pattern takes long.
_PIECE = 2_000


def stays_here(base: str) -> bool:
    """Whether the server at ``base`` is on this machine: its name is localhost, or its address a loopback one."""
    host = urlsplit(base).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def secret_in(texts: Iterable[str]) -> str:
    """What kind of secret the texts seem to hold; "" for none."""
    for text in texts:
        for line in text.splitlines():
            if found := _secret_in_line(line):
                return found
    return ""


@lru_cache(maxsize=4096)  # some windows of lines: of a line being written, only that one is looked at again
def _secret_in_line(line: str) -> str:
    for start in range(0, len(line), _PIECE // 2):  # pieces overlap by a half: secrets are shorter
        piece = line[start : start + _PIECE]
        for plugin in _plugins():
            if any(plugin.analyze_string(piece)):
                return str(plugin.secret_type)
        if start + _PIECE >= len(line):
            break
    return ""


@cache
def _plugins() -> tuple[Any, ...]:
    return tuple(getattr(import_module(f"detect_secrets.plugins.{module}"), name)() for module, name in _PLUGINS)
