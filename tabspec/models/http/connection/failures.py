"""What can go wrong with a request, as one line for the user that names the server and what to do."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.http.connection.key import HOST_VARIABLE, VARIABLE, ApiKey
from tabspec.models.http.connection.pace import retry_after
from tabspec.system.quoted import quoted

Json = dict[str, Any]


class TooLong(ModelError):
    """The prompt does not fit into the server's context."""


class Refused(ModelError):
    """The server rejects the request (a status below 500, or 501): a retry would be rejected, too. ``reason`` is
    what the server gives, or ""."""

    def __init__(self, message: str, status: int, reason: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class NoApi(Refused):
    """The address has no API, or not the one that was asked for (404, 405, or a web page)."""


class Busy(ModelUnavailable):
    """The server asks the client to wait: ``after`` seconds, or None if it gives no time."""

    def __init__(self, message: str, after: float | None) -> None:
        super().__init__(message)
        self.after = after


def connection_failed(base: str, proxy_host: str, error: Exception) -> ModelUnavailable:
    """What a failure of the connection means to the user."""
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return ModelUnavailable(f"{base} does not answer in time: it hangs, or has too much to do")
    if isinstance(error, httpx.ConnectError):
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "TLS failed"
                return ModelUnavailable(f"{base}: its certificate is not trusted ({reason}); see SSL_CERT_FILE")
            cause = cause.__cause__ or cause.__context__
        return ModelUnavailable(f"{base}: no server answers there; start it, or name another model")
    if isinstance(error, httpx.ProxyError):
        return ModelUnavailable(f"{base}: the proxy {proxy_host} refuses the connection")
    return ModelUnavailable(f"{base}: the connection broke off")


def rejected(base: str, key: ApiKey, status: int, headers: Mapping[str, str], reason: str) -> ModelError:
    """What a status other than 200 means to the user. ``reason`` is the server's own, or ""."""
    quote = f": {quoted(reason)}" if reason else ""
    if status in (401, 403):
        return key_refused(base, key, status)
    if status in (429, 502, 503, 504):
        state = "is starting or busy" if status == 503 else "is busy" if status == 429 else "is not to be reached"
        return Busy(f"{base} {state} (status {status}){quote}", retry_after(headers))
    if status in (400, 413, 422) and _is_about_length(reason):
        return TooLong(f"{base}: the prompt is too long for the model{quote}")
    if status < 500 or status == 501:
        kind = NoApi if status in (404, 405) else Refused
        return kind(f"{base} refuses the request (status {status}){quote}", status, reason)
    return ModelError(f"{base} failed (status {status}){quote}")


def key_refused(base: str, key: ApiKey, status: int) -> ModelError:
    """What status 401 or 403 means to the user."""
    if key.withheld:
        return ModelError(f"{base} wants a key (status {status}), and {key.withheld}")
    return ModelError(f"{base} refuses the key (status {status}): set {VARIABLE}, and {HOST_VARIABLE} to its host")


def failed_meanwhile(base: str, event: Json) -> ModelError:
    """An answer that ends with an error event."""
    reason = reason_in(event)
    return ModelError(f"{base} failed while it was answering: {quoted(reason) if reason else 'it gives no reason'}")


def reason_in(found: Any) -> str:
    """The message in an error object, as OpenAI, llama.cpp, vLLM and FastAPI write it; "" if there is none."""
    if not isinstance(found, dict):
        return ""
    error = found.get("error") or found
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return one_line(str(error).encode("utf-8", "replace")) if isinstance(error, str | list) else ""


def one_line(data: bytes) -> str:
    """Text in bytes, on one line."""
    return " ".join(data.decode("utf-8", "replace").split())


def parsed(data: bytes) -> Any:
    """JSON; None for what is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):  # the latter for brackets in brackets in brackets
        return None


def _is_about_length(reason: str) -> bool:
    # llama.cpp "exceeds the available context size", vLLM "maximum context length is"
    return "context" in reason.lower()
