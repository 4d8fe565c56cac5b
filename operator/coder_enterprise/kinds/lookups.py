"""What Coder answers about what a spec names, told in the same way by every kind."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from coder_enterprise.client import errors, records
from coder_enterprise.kinds.base import Context, waiting
from coder_enterprise.kinds.reasons import Reason

T = TypeVar("T")


async def or_none(call: Awaitable[T]) -> T | None:
    """None when it is not there; a server that lacks the endpoint says nothing about that, and raises."""
    try:
        return await call
    except errors.NotFound as error:
        if error.route_missing:
            raise
        return None


async def find_organization(context: Context, name: str) -> records.Organization:
    """The one that spec.organization names, or `WaitingForOrganization`."""
    try:
        return await context.directory.organization(name)
    except (errors.NotFound, errors.BadRequest) as error:
        raise waiting(
            Reason.WAITING_FOR_ORGANIZATION,
            f"spec.organization: {name} does not exist in Coder, or the token cannot see it ({error.message})",
        ) from None
