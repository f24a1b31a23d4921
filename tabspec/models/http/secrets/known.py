"""The patterns of detect-secrets: keys of well-known services, private keys, passwords in addresses. Its checks over
the network are not used."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from tabspec.models.http.secrets.spans import SecretSpan

# Plugins that match a pattern quickly in any line. Not used: those for npm's tokens and for names like ``password``,
# which take 0.1 and 3 s for a line of 2,000 characters (`assigned` and ours.toml have these); and those that measure
# entropy, which report every hash in a source file.
_PLUGINS = (
    ("artifactory", "ArtifactoryDetector"),
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
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
# Longer lines (data, minified code) are searched in pieces, so that no pattern takes long.
_PIECE = 2_000


def search(text: str, name: str) -> Iterator[SecretSpan]:
    """Lines of ``text`` that hold a secret."""
    start = 0
    for line in text.splitlines(keepends=True):
        if found := _secret_in_line(line):
            yield SecretSpan(found, start, start + len(line))
        start += len(line)


@lru_cache(maxsize=4096)  # the lines of some windows: while a line is typed, only that line is searched again
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
