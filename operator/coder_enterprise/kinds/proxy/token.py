"""The token's next step: why a workspace proxy needs a new one, and what its Secret lacks.

Pure functions of spec, observation and status; the four steps that a new token takes are told in `kinds.proxy`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from coder_enterprise.kinds.machinery import durations, moments
from coder_enterprise.kinds.machinery.changes import ROTATED, Action, Change
from coder_enterprise.kinds.machinery.policies import Chain
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.proxy.find import ObservedProxy
from coder_enterprise.kinds.proxy.spec import ProxySpec
from coder_enterprise.kinds.proxy.workload_spec import PRIMARY_URL_KEY

TOKEN_PATH: Final = "spec.tokenSecret"  # noqa: S105
STOMPED_PATH: Final = f"{TOKEN_PATH} (metadata)"
URL_PATH: Final = f"{TOKEN_PATH} ({PRIMARY_URL_KEY})"


def fingerprint(token: str) -> str:
    """ "" for no token."""
    return hashlib.sha256(token.encode()).hexdigest()[:16] if token else ""


def secret_name(resource: Resource, spec: ProxySpec) -> str:
    return (spec.token_secret.name if spec.token_secret else None) or f"{resource.key.name}-token"


@dataclass(frozen=True)
class Facts:
    desired: ProxySpec
    observed: ObservedProxy
    recorded: Mapping[str, Any]

    @property
    def known(self) -> str | None:
        """The fingerprint of the present token; "" for one that Coder did not show."""
        return self.recorded.get("tokenFingerprint")


def not_made_by_this_object(facts: Facts) -> str | None:
    """No token is recorded, or it is of another proxy: such as a new one, or one that is adopted."""
    proxy = facts.observed.proxy
    strange = facts.known is None or proxy is None or proxy.id != facts.recorded.get("id")
    return "none that this object made" if strange else None


def asked_for(facts: Facts) -> str | None:
    """A person has asked for a new one, by an annotation that was not handled yet."""
    requested = facts.observed.requested
    due = requested and requested != facts.recorded.get("lastHandledRotateAt")
    return f"one that is to be replaced ({requested})" if due else None


def too_old(facts: Facts) -> str | None:
    """It is older than spec.tokenSecret.rotateEvery, and not one that a person has put into the Secret."""
    left = seconds_left(facts.desired, facts.observed, facts.recorded)
    due = left is not None and left <= 0 and facts.known
    return f"one from {facts.recorded.get('tokenRotatedAt')}" if due else None


def lost(facts: Facts) -> str | None:
    """The Secret is gone, or has no token."""
    if facts.known == "" or facts.observed.token:
        return None
    return "lost with the Secret" if facts.observed.secret is None else "lost from the Secret"


def not_in_the_secret(facts: Facts) -> str | None:
    """The Secret has another one."""
    if facts.known == "" or fingerprint(facts.observed.token) == facts.known:
        return None
    return "not the one in the Secret"


NEW_TOKEN: Final = Chain(not_made_by_this_object, asked_for, too_old, lost, not_in_the_secret)
"""Each answers with what the present token is; none at all: it stays."""


def token_changes(desired: ProxySpec, observed: ObservedProxy, recorded: Mapping[str, Any]) -> list[Change]:
    why = NEW_TOKEN.decide(Facts(desired, observed, recorded))
    if why:
        return [Change(Action.UPDATE, TOKEN_PATH, before=why, after="a new token", event=ROTATED)]
    known = (observed.secret or {}).get(PRIMARY_URL_KEY)
    if known != observed.primary_url:
        before = "another address" if known else None
        return [Change(Action.UPDATE, URL_PATH, before=before, after=observed.primary_url, event="SecretWritten")]
    if not observed.intact and recorded.get("tokenFingerprint"):  # it holds our token, whoever it belongs to by now
        before, after = "without our label or owner", "as it was written"
        return [Change(Action.UPDATE, STOMPED_PATH, before=before, after=after, event="SecretWritten")]
    return []


def seconds_left(desired: ProxySpec, observed: ObservedProxy, recorded: Mapping[str, Any]) -> float | None:
    """Until the token is too old; None when it never is."""
    every = desired.token_secret.rotate_every if desired.token_secret else None
    made = observed.now if observed.issued is not None else moments.read(recorded.get("tokenRotatedAt"))
    if every is None or made is None:
        return None
    return (made + timedelta(seconds=durations.seconds(every)) - observed.now).total_seconds()
