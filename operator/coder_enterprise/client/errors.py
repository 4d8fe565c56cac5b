"""The operator's tree of errors: what went wrong, and what that means for a reconcile.

Raised by the client and by the kinds; read by the controller, which turns each into a condition. An error's
`reason` is its word in `status.conditions`, its `meaning` decides when to try again. Messages are shown to
users: they name the cause and the next step, and never contain a secret.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final


class Meaning(StrEnum):
    """What an error asks of the controller."""

    WAITING = "Waiting"
    """Something that others provide is not there yet; whoever provides it wakes the object."""
    TRANSIENT = "Transient"
    """It may work in a moment: retried with exponential backoff."""
    STALLED = "Stalled"
    """A person must act; retried slowly, and at once when something it refers to changes."""


REMOVED: Final = "[removed]"
"""In place of a secret."""


class OperatorError(Exception):
    """Base of everything that a reconcile may raise on purpose."""

    reason: ClassVar[str] = "InternalError"
    meaning: ClassVar[Meaning] = Meaning.TRANSIENT

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CoderError(OperatorError):
    """A call to Coder did not succeed."""


class Unreachable(CoderError):
    """No HTTP answer: name resolution, refused or broken connection, timeout."""

    reason = "Unreachable"


class TLSFailed(Unreachable):
    """The server's certificate was not accepted, or the TLS handshake failed."""

    reason = "TLSFailed"


class NotCoder(CoderError):
    """An answer that Coder's API does not give: HTML, a redirect, or broken JSON."""

    reason = "UnexpectedAnswer"


class UnexpectedShape(CoderError):
    """JSON, but not of the shape that this endpoint has. It says nothing about the other endpoints."""

    reason = "UnexpectedAnswer"


class Crowded(CoderError):
    """Too many large answers at a time for the operator's memory: nothing is wrong with this one."""

    reason = "RequestFailed"


class APIError(CoderError):
    """An answer with an error status, and the envelope that Coder sends with it.

    `detail` and `validations` are "" and {} when the server left them out.
    """

    reason = "RequestFailed"

    def __init__(self, status: int, message: str, detail: str = "", validations: dict[str, str] | None = None) -> None:
        self.status = status
        self.summary = message
        """The envelope's own message, without what is quoted from the request."""
        self.detail = detail
        self.validations = validations or {}
        parts = [message, *(f"{field}: {text}" for field, text in self.validations.items()), detail]
        told = dict.fromkeys(part.strip().rstrip(".") for part in parts)
        super().__init__(f"Coder answered {status}: " + "; ".join(part for part in told if part))

    def mute(self, message: str) -> None:
        """Say `message`, and nothing of what the server said."""
        self.message, self.summary, self.detail, self.validations = message, "", "", {}
        self.args = (message,)

    def hide(self, secret: str) -> None:
        """Take a secret that the request held out of all that the error says."""
        self.message, self.summary, self.detail = (
            text.replace(secret, REMOVED) for text in (self.message, self.summary, self.detail)
        )
        self.validations = {field: text.replace(secret, REMOVED) for field, text in self.validations.items()}
        self.args = (self.message,)


class BadRequest(APIError):
    """400, 412, 413, 422 and other refusals of the request itself."""

    reason = "Refused"
    meaning = Meaning.STALLED


class Unauthorized(APIError):
    """401: the session token is unknown, expired, or its user is suspended."""

    reason = "Unauthorized"


class Forbidden(APIError):
    """403: not entitled, or the token's user may not do this."""

    reason = "Forbidden"
    meaning = Meaning.STALLED


class NotFound(APIError):
    """404: not there, or not visible for this token; `route_missing` when the server lacks the endpoint."""

    reason = "NotFound"
    meaning = Meaning.STALLED

    @property
    def route_missing(self) -> bool:
        """True when the server does not know the path at all, so nothing is said about the resource."""
        return "route" in self.summary.lower()


class AlreadyTaken(APIError):
    """409: the name is taken."""

    reason = "AlreadyExists"
    meaning = Meaning.STALLED


class SCIMRefused(APIError):
    """SCIM's own refusal, whatever its status: it says nothing about the rest of Coder."""

    reason = "SCIMRefused"
    meaning = Meaning.STALLED


class TooManyRequests(APIError):
    """429; `retry_after` is in seconds."""

    reason = "RateLimited"

    def __init__(self, status: int, message: str, retry_after: float) -> None:
        super().__init__(status, message)
        self.retry_after = retry_after


class ServerError(APIError):
    """5xx."""

    reason = "ServerError"


OUTAGE = (Unreachable, NotCoder, ServerError, Unauthorized)
"""Errors that may speak of the whole deployment: a few of them have it asked, and its own answer decides."""
