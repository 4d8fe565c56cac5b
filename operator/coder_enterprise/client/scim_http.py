"""The transport of SCIM, which has an address, a key and errors of its own.

Used by `client.coder` for the calls of an identity provider. What they hold, `client.scim` knows.
"""

from __future__ import annotations

import json
from typing import ClassVar, Final

from typing_extensions import override

from coder_enterprise.client import errors
from coder_enterprise.client.failures import Answer, Failures
from coder_enterprise.client.http import Transport

SCIM: Final = "/scim/v2"
"""Beside the API, not below it."""
SCIM_ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"


class SCIMFailures(Failures):
    """Old servers answer 500 to everything that SCIM refuses, the key included, and a page of HTML where it is switched
    off. So none of its refusals may count as an outage of Coder: they are `errors.SCIMRefused`."""

    @override
    def api_error(self, answer: Answer) -> errors.CoderError:
        detail = _detail(answer)
        if detail is None and answer.status not in {401, 404}:
            return super().api_error(answer)
        told = detail or answer.phrase or "no message"
        return errors.SCIMRefused(answer.status, self.clean(f"SCIM: {told}"))

    @override
    def not_coder(self, answer: Answer) -> errors.CoderError:
        return errors.SCIMRefused(
            answer.status, f"SCIM: {answer.what} instead of JSON; is CODER_SCIM_AUTH_HEADER set on the server?"
        )


class SCIMTransport(Transport):
    root: ClassVar[str] = SCIM
    failures: ClassVar[type[Failures]] = SCIMFailures

    @override
    def _credentials(self) -> dict[str, str]:
        return {"Authorization": self.settings.scim_key}


def _detail(answer: Answer) -> str | None:
    """What an error of SCIM says; None when the answer is none."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or SCIM_ERROR not in (body.get("schemas") or ()):
        return None
    return str(body.get("detail") or body.get("scimType") or "no details")
