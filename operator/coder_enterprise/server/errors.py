"""The server's tree of errors: each is an HTTP status and the envelope that goes with it.

Raised by the services, and by the routes for what cannot even be read; turned into an answer in one place,
`routes.app`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from coder_enterprise.server.refused import Refused

NOT_FOUND_MESSAGE: Final = "Resource not found or you do not have access to this resource"


class RequestError(Refused):
    """A request that cannot be served."""

    status: ClassVar[int] = 500
    headers: Mapping[str, str] = {}


class BadRequest(RequestError):
    status = 400


class TooSoon(BadRequest):
    """Asked again too soon; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, f"Try again in {retry_after} seconds.")
        self.headers = {"Retry-After": str(retry_after)}


class Unauthorized(RequestError):
    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="coder"'}


class Forbidden(RequestError):
    status = 403


class NotFound(RequestError):
    """Not there, or not for this caller to see: the answer does not tell which."""

    status = 404

    def __init__(self, message: str = NOT_FOUND_MESSAGE, detail: str = "") -> None:
        super().__init__(message, detail)


class Conflict(RequestError):
    status = 409


class Gone(RequestError):
    """It was there, and this caller may know of it."""

    status = 410


class PreconditionFailed(RequestError):
    """What the request wants to change is not in the state for it."""

    status = 412


class TooLarge(RequestError):
    status = 413


class TooEarly(RequestError):
    """What the request needs is still being made."""

    status = 425


class UpgradeRequired(RequestError):
    """The route speaks another protocol."""

    status = 426
    headers: Mapping[str, str] = {"Connection": "Upgrade", "Upgrade": "websocket"}


class Overloaded(RequestError):
    """More work is waiting than can be done soon: better told at once than served late."""

    status = 429
    headers: Mapping[str, str] = {"Retry-After": "1"}


class Unavailable(RequestError):
    """What the server itself depends on does not answer."""

    status = 503
    headers: Mapping[str, str] = {"Retry-After": "1"}


def invalid(**validations: str) -> BadRequest:
    """A body whose named fields break a rule."""
    return BadRequest("Validation failed.", validations=validations)


def bad_query(**validations: str) -> BadRequest:
    """Query parameters that break a rule."""
    return BadRequest("Query parameters have invalid values.", validations=validations)


def taken(message: str, detail: str = "", *, field: str = "name") -> Conflict:
    """Another one has the value of `field` already."""
    return Conflict(message, detail, {field: "This value is already in use and must be unique."})
