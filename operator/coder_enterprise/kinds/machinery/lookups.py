"""What Coder answers about what a spec names, told in the same way by every kind."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from coder_enterprise.client import errors, records
from coder_enterprise.client.clock import now
from coder_enterprise.client.snapshots import Snapshot
from coder_enterprise.kinds.machinery.base import Context, ManagedKind
from coder_enterprise.kinds.machinery.errors import KindError, stalled, waiting
from coder_enterprise.kinds.machinery.reasons import Reason

T = TypeVar("T")


async def read(snapshot: Snapshot[T], *, fresh: bool) -> T:
    """What is shared as it is known; with `fresh`, as it is from now on."""
    return await snapshot.get(now() if fresh else float("-inf"))


async def or_none(call: Awaitable[T]) -> T | None:
    """None when it is not there; a server that lacks the endpoint says nothing about that, and raises."""
    try:
        return await call
    except errors.NotFound as error:
        if error.route_missing:
            raise
        return None


def just_made(what: str, refusal: errors.AlreadyTaken) -> KindError:
    """Coder refuses to make it, though it was not there a moment ago."""
    return stalled(Reason.ALREADY_EXISTS, f"{what} was just made by someone else ({refusal.message})")


async def find_organization(context: Context, name: str) -> records.Organization:
    """The one that spec.organization names, or `WaitingForOrganization`."""
    try:
        return await context.directory.organization(name)
    except (errors.NotFound, errors.BadRequest) as error:
        raise waiting(
            Reason.WAITING_FOR_ORGANIZATION,
            f"spec.organization: {name} does not exist in Coder, or the token cannot see it ({error.message})",
        ) from None


def in_words(kind: ManagedKind[Any, Any], error: errors.OperatorError) -> errors.OperatorError:
    """A route that the server does not know says nothing about the object, but about the server."""
    if isinstance(error, errors.NotFound) and error.route_missing:
        return stalled(
            Reason.NOT_SERVED,
            f"this Coder has no {kind.things}: it is the open-source build, or its version is too old "
            f"({error.message})",
        )
    return error


def require_feature(kind: ManagedKind[Any, Any], features: Mapping[str, bool] | None) -> None:
    """Raises `KindError` for a kind whose feature is not enabled. `features` is None when the server does not tell."""
    if kind.feature and features is not None and not features.get(kind.feature, False):
        message = f"the feature {kind.feature} is not enabled on this deployment; add a licence"
        raise waiting(Reason.NOT_ENTITLED, message)
