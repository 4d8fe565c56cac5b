"""The probe of a CoderDeployment: all answers in one, and what is told of a server that gives none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from coder_enterprise.client import errors, records
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.kinds.deployment.answers import (
    REFUSALS,
    Refusal,
    ask,
    has_license,
    license_answer,
    provisioners_answer,
    proxies_answer,
    replicas_answer,
)
from coder_enterprise.kinds.deployment.coverage import cover_ends
from coder_enterprise.kinds.deployment.status import (
    CREDENTIAL_EXPIRY,
    LICENSE_DAYS_LEFT,
    LICENSE_EXPIRY,
    MAX_FEATURES,
    MAX_NAME,
    MAX_ROLES,
    MAX_VERSION,
    NOT_KNOWN,
)
from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.connection import Figure, Probe
from coder_enterprise.kinds.machinery.reasons import Reason


async def build_info(client: CoderClient) -> records.BuildInfo:
    """The proof that it is a Coder. Raises `errors.CoderError` that repeats nothing of what anything else says: whoever
    declares a CoderDeployment may not be meant to read that."""
    try:
        return await client.server.build_info()
    except errors.APIError as error:
        error.mute(f"{client.settings.url} answered {error.status} when it was asked for its version; is it Coder?")
        raise


_PAUSED: Final = "Coder answered 429 and asked for a pause: nothing is read or written until it is over"
_LIMITED: Final = Probe(
    usable=False,
    reason=Reason.RATE_LIMITED,
    message=_PAUSED,
    conditions=(
        DomainCondition("Reachable", "True", Reason.RATE_LIMITED, _PAUSED),
        DomainCondition("Authenticated", "Unknown", Reason.UNKNOWN, "not asked"),
    ),
    fields={**NOT_KNOWN, "circuit": "Open"},
    features=None,
)
"""It answers, and tells nothing of how it is."""


def not_authenticated(reachable: DomainCondition, build: records.BuildInfo, error: Refusal) -> Probe:
    advice = "; put a valid session token into the Secret of spec.tokenSecretRef"
    message = error.message + (advice if isinstance(error, errors.Unauthorized) else "")
    refused = isinstance(error, errors.Unauthorized) or error.meaning is errors.Meaning.STALLED
    token = DomainCondition("Authenticated", "False" if refused else "Unknown", Reason(error.reason), message)
    return Probe(
        usable=False,
        reason=Reason(error.reason),
        message=message,
        conditions=(reachable, token),
        fields={**NOT_KNOWN, "version": build.version[:MAX_VERSION], "identity": None, "circuit": "Open"},
        features=None,
    )


async def healthy_probe(
    client: CoderClient,
    directory: Directory,
    reachable: DomainCondition,
    build: records.BuildInfo,
    me: records.User,
) -> Probe:
    token = DomainCondition("Authenticated", "True", Reason.TOKEN_ACCEPTED, f"the token belongs to {me.username}")
    entitlements = await ask(client.server.entitlements)
    ends = await _cover_ends(client, entitlements)
    key = await ask(client.users.own_key)
    answers = [
        license_answer(entitlements, ends),
        replicas_answer(await ask(client.server.replicas)),
        await provisioners_answer(client, directory),
        proxies_answer(await ask(client.server.proxy_lists)),
    ]
    features, grace = _features(entitlements)
    fields: dict[str, Any] = {
        "version": build.version[:MAX_VERSION],
        "identity": _identity(client, me),
        "circuit": "Closed",
        "features": dict(list(features.items())[:MAX_FEATURES]) if features else None,
    }
    for answer in answers:
        fields |= answer.fields
    return Probe(
        usable=True,
        reason=Reason.CONNECTED,
        message=f"Coder {build.version} at {client.settings.url} answers to {me.username}",
        conditions=(reachable, token, *(answer.condition for answer in answers if answer.condition)),
        fields=fields,
        features=features,
        grace=grace,
        figures={name: value for answer in answers for name, value in answer.figures.items()}
        | _figures(fields, ends, key),
        health={part: state for answer in answers for part, state in answer.health.items()},
    )


async def _cover_ends(client: CoderClient, entitlements: records.Entitlements | Refusal) -> datetime | None:
    licenses = await ask(client.licenses.list) if has_license(entitlements) else ()
    known = () if isinstance(licenses, REFUSALS) else licenses
    return cover_ends((item.claims for item in known), datetime.now(UTC))


def _identity(client: CoderClient, me: records.User) -> dict[str, Any]:
    roles = sorted(role.name[:MAX_NAME] for role in me.roles)
    return {"url": client.settings.url, "username": me.username[:MAX_NAME], "roles": roles[:MAX_ROLES]}


def _features(entitlements: records.Entitlements | Refusal) -> tuple[dict[str, bool] | None, frozenset[str]]:
    """Which are enabled, as far as the server tells; and which only until their grace period ends."""
    if isinstance(entitlements, REFUSALS):
        return None, frozenset()
    features = {name: feature.enabled for name, feature in sorted(entitlements.features.items())}
    grace = (name for name, item in entitlements.features.items() if item.entitlement == "grace_period")
    return features, frozenset(grace)


def _figures(
    fields: Mapping[str, Any], license_ends: datetime | None, key: records.APIKey | Refusal
) -> dict[Figure, float]:
    token_ends = None if isinstance(key, REFUSALS) or _is_never(key.expires_at) else key.expires_at
    known = {
        LICENSE_DAYS_LEFT: (fields.get("license") or {}).get("daysLeft"),
        LICENSE_EXPIRY: license_ends.timestamp() if license_ends else None,
        CREDENTIAL_EXPIRY: token_ends.timestamp() if token_ends else None,
    }
    return {figure: value for figure, value in known.items() if value is not None}


def _is_never(moment: datetime) -> bool:
    """The zero time of Go, which a token has that does not end."""
    return moment.year == 1


def unusable(error: errors.OperatorError) -> Probe:
    """What a deployment shows that cannot even be asked, or that asks for a pause."""
    if isinstance(error, errors.TooManyRequests):
        return _LIMITED
    reason = Reason(error.reason)
    # Only the client's errors come from an attempt to reach it; before one, it is the Secrets that are at fault.
    asked = isinstance(error, errors.CoderError)
    culprit, other = ("Reachable", "Authenticated") if asked else ("Authenticated", "Reachable")
    found = {
        culprit: DomainCondition(culprit, "False", reason, error.message),
        other: DomainCondition(other, "Unknown", Reason.UNKNOWN, "not asked"),
    }
    return Probe(
        usable=False,
        reason=reason,
        message=error.message,
        conditions=(found["Reachable"], found["Authenticated"]),
        fields={**NOT_KNOWN, "circuit": "Open"},
        features=None,
    )
