"""Document URIs. Editors send all kinds; none of them is a reason to fail."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


def uri_path(uri: str) -> str:
    """The path in a URI, unquoted; what is no URI is taken as a path itself."""
    try:
        return unquote(urlsplit(uri).path)
    except ValueError:
        return uri
