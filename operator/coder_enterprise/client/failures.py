"""What an exchange means that did not succeed: no answer, one that is not Coder's, or one that is an error.

Asked by `client.http` with what came, or with the exception in its place; it sends nothing. What it says is shown to
people: the secrets of the connection are taken out, and of what is no Coder nothing is repeated.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp
from pydantic import ValidationError

from coder_enterprise.client import errors, proxies, tls
from coder_enterprise.client.bodies import TooLarge
from coder_enterprise.client.retry_after import retry_after

CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 30.0
DEFAULT_RETRY_AFTER: Final = 5.0
MAX_RETRY_AFTER: Final = 300.0
MAX_TEXT: Final = 512
"""Characters of what a server says that are told."""
MAX_VALIDATIONS: Final = 16

_MAX_WORDS: Final = 1024
_BROKEN: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError, ConnectionResetError)
"""What a server that expects TLS makes of plain HTTP."""
_CONTENT_TYPES: Final = frozenset(
    {"text/html", "text/plain", "text/xml", "application/xml", "application/octet-stream"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    method: str
    path: str
    status: int
    phrase: str
    headers: Mapping[str, str]
    body: bytearray

    @property
    def what(self) -> str:
        """What it holds by its content type, in words that are ours: it may come from anything but Coder."""
        said = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if said == "application/json":
            return "something broken"
        return said if said in _CONTENT_TYPES else "something else" if said else "no content type"


class Called(NamedTuple):
    """Where people set what a connection is made of."""

    url: str = "spec.url"
    trust: str = tls.WHERE
    """The certificates that are trusted."""


OF_SPEC: Final = Called()


class Failures:
    """Of one connection, to `url`, through `proxy`; `secrets` are never told."""

    def __init__(self, url: str, secrets: tuple[str, ...], proxy: proxies.Proxy | None, called: Called) -> None:
        self._url = url
        self._called = called
        self._secrets = tuple(filter(None, secrets))
        self._proxy = proxy

    def unreachable(self, error: Exception) -> errors.CoderError:
        through = proxies.failure(self._proxy, self._url, error)
        if through:
            return errors.Unreachable(through)
        failed = _tls_error(error)
        if failed is not None:
            if failed.reason in tls.NOT_SPOKEN:
                return errors.TLSFailed(
                    f"{self._url} speaks no TLS; write http:// in {self._called.url}, or the port of https"
                )
            cause = getattr(failed, "verify_message", "") or getattr(failed, "reason", "") or type(failed).__name__
            return errors.TLSFailed(
                f"TLS with {self._url} failed: {cause}; check the server's certificate, or name its "
                f"issuer in {self._called.trust}"
            )
        if isinstance(error, TimeoutError):
            cause = f"no answer within {CONNECT_TIMEOUT:.0f} s (connect) or {READ_TIMEOUT:.0f} s (read)"
        else:
            cause = _cause(error)
        advice = f"check {self._called.url}"
        if isinstance(error, _BROKEN) and self._url.startswith("http:"):
            advice = f"if TLS is spoken there, write https:// in {self._called.url}"
        return errors.Unreachable(self.clean(f"{self._url} cannot be reached: {cause}; {advice}"))

    def raise_for_status(self, answer: Answer) -> None:
        status = answer.status
        if status < 300:
            return
        if status < 400:
            target = _origin(answer.headers.get("Location", ""))
            message = f"{self._url} redirects to {target}; {self._called.url} must be Coder's own access URL"
            raise errors.NotCoder(self.clean(message))
        if self._proxy and status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            raise errors.Unreachable(proxies.wants_credentials(self._proxy))
        raise self.api_error(answer)

    def api_error(self, answer: Answer) -> errors.CoderError:
        status = answer.status
        envelope = _envelope(answer)
        if envelope is None:
            if status == 429 or status >= 500:
                envelope = {}
            else:
                return self.not_coder(answer)
        message = self.clean(str(envelope.get("message") or answer.phrase or "no message"))
        mistake = self._mistake(answer) if status == HTTPStatus.NOT_FOUND and "route" in message.lower() else ""
        if mistake:
            return errors.NotCoder(mistake)
        if status == 429:
            wanted = retry_after(answer.headers.get("Retry-After", ""))
            return errors.TooManyRequests(
                status, message, DEFAULT_RETRY_AFTER if wanted is None else min(wanted, MAX_RETRY_AFTER)
            )
        detail = self.clean(str(envelope.get("detail") or ""))
        listed = envelope.get("validations")
        validations = {
            self.clean(str(item.get("field", ""))): self.clean(str(item.get("detail", "")))
            for item in (listed[:MAX_VALIDATIONS] if isinstance(listed, list) else ())
            if isinstance(item, dict)
        }
        return _error_class(status)(status, message, detail, validations)

    def misread(self, answer: Answer, error: ValueError | RecursionError) -> errors.CoderError:
        """An answer of a status that is well, and of which nothing can be made."""
        if not isinstance(error, ValidationError):
            return self.not_coder(answer)
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            return self.not_coder(answer)
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        what = f"{answer.method} {answer.path}: {where}: {first['msg']}"
        return errors.UnexpectedShape(self.clean(f"{what}; is this a Coder server of a supported version?"))

    def too_large(self, method: str, path: str, error: TooLarge) -> errors.CoderError:
        return errors.UnexpectedShape(f"{method} {path} answered {error}; is {self._url} Coder itself?")

    def not_coder(self, answer: Answer) -> errors.CoderError:
        return errors.NotCoder(
            self._mistake(answer)
            or f"{answer.method} {answer.path} answered {answer.status} with {answer.what} "
            f"instead of JSON; check that {self._url} is Coder itself, not a proxy's login page"
        )

    def not_deleted(self, answer: Answer) -> errors.CoderError:
        return errors.NotCoder(
            self._mistake(answer)
            or f"{answer.method} {answer.path} answered {answer.status}, and nothing shows that Coder has deleted it; "
            f"check that {self._url} is Coder itself, not a proxy that answers in its place"
        )

    def _mistake(self, answer: Answer) -> str:
        """What is wrong with the URL, by an answer that is not Coder's; "" when that does not show."""
        parts = urlsplit(self._url)
        said = answer.body[:_MAX_WORDS].lower()
        if parts.scheme == "http" and b"http request" in said and b"https" in said:
            return f"{self._url} speaks TLS: write https:// in {self._called.url}"
        if parts.path.strip("/"):
            origin = f"{parts.scheme}://{parts.netloc}"
            return f"{self._called.url} has the path {parts.path}; Coder's access URL rarely has one: write {origin}"
        return ""

    def clean(self, text: str) -> str:
        """As it may be shown."""
        for secret in self._secrets:
            text = text.replace(secret, errors.REMOVED)
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _cause(error: Exception) -> str:
    """In few words. aiohttp's own tell the address once more, and repeat what they could not read: it may be the
    greeting of anything that listens there."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection before it had answered"
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return "its answer is no HTTP, or breaks off"
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(inner, "strerror", "") or str(inner) or type(error).__name__


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError) and not isinstance(seen, aiohttp.ClientError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _envelope(answer: Answer) -> dict[str, Any] | None:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and "message" in body else None


def _origin(location: str) -> str:
    """Where a redirect leads, without the path, which may hold anything and was meant for others."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "something that is no URL"
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another page of its own"


def _error_class(status: int) -> type[errors.APIError]:
    if status >= 500:
        return errors.ServerError
    known: dict[int, type[errors.APIError]] = {
        401: errors.Unauthorized,
        403: errors.Forbidden,
        404: errors.NotFound,
        409: errors.AlreadyTaken,
    }
    return known.get(status, errors.BadRequest)
