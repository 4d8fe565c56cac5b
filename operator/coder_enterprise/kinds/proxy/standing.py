"""How a workspace proxy stands, and when it is looked at again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from coder_enterprise.kinds.machinery.base import DomainCondition, Progress, Verdict
from coder_enterprise.kinds.machinery.policies import Chain
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import ROTATE_TOKEN_AT
from coder_enterprise.kinds.proxy.find import ObservedProxy
from coder_enterprise.kinds.proxy.spec import ProxySpec
from coder_enterprise.kinds.proxy.token import seconds_left, secret_name
from coder_enterprise.kinds.proxy.workload_spec import TOKEN_KEY

REVISIT: Final = 20.0
"""Seconds until a healthy proxy is looked at again."""
REVISIT_NOT_READY: Final = 5.0
AT_ONCE: Final = 0.1


@dataclass(frozen=True)
class Standing:
    """What is known of a proxy that exists."""

    secret: str
    """Name of the Secret."""
    fingerprint: str | None
    """Of the present token; "" for one that Coder did not show."""
    token: str = field(repr=False)
    """That is in the Secret."""
    registered: DomainCondition
    healthy: DomainCondition
    running: DomainCondition | None
    """None without a workload."""

    @property
    def stuck(self) -> bool:
        return self.running is not None and self.running.status != "True"

    @property
    def trouble(self) -> str:
        """Of the workload, to be said with anything else."""
        return f"; the workload: {self.running.message}" if self.running and self.stuck else ""


def no_token_was_shown(standing: Standing) -> Verdict | None:
    """TokenNotShown, and Stalled: Coder did not show the token, and nobody has put one into the Secret."""
    if standing.fingerprint != "" or standing.token:
        return None
    return Verdict(
        progress=Progress.STALLED,
        reason=Reason.TOKEN_NOT_SHOWN,
        message=f"Coder made a token for it and did not show it; put a token into the key {TOKEN_KEY} of Secret "
        f"{standing.secret}, or upgrade Coder and annotate the object with {ROTATE_TOKEN_AT}",
    )


def it_never_registered(standing: Standing) -> Verdict | None:
    """NotRegistered: nothing has ever run with the token."""
    if standing.registered.status == "True":
        return None
    message = f"it has never registered; run a workspace proxy with the token in Secret {standing.secret}"
    return Verdict(Progress.WORKING, standing.registered.reason, message + standing.trouble)


def coder_finds_it_unwell(standing: Standing) -> Verdict | None:
    """The reason of the condition Healthy: Coder cannot reach it, it reports errors, or nobody has looked yet."""
    if standing.healthy.status == "True":
        return None
    return Verdict(Progress.WORKING, standing.healthy.reason, standing.healthy.message + standing.trouble)


def its_workload_does_not_run(standing: Standing) -> Verdict | None:
    """WorkloadUnavailable: the Deployment of spec.workload is not available, though the proxy is healthy."""
    if standing.running is None or not standing.stuck:
        return None
    return Verdict(Progress.WORKING, standing.running.reason, f"Coder finds it healthy{standing.trouble}")


STANDING: Final = Chain(no_token_was_shown, it_never_registered, coder_finds_it_unwell, its_workload_does_not_run)
"""Whether it is usable: the first of these that is not as it should be says why not."""


def how_it_stands(
    desired: ProxySpec,
    observed: ObservedProxy,
    registered: DomainCondition,
    healthy: DomainCondition,
    running: DomainCondition | None,
) -> Verdict:
    standing = Standing(
        secret=secret_name(observed.resource, desired),
        fingerprint=observed.recorded.get("tokenFingerprint") if observed.issued is None else observed.issued,
        token=observed.token,
        registered=registered,
        healthy=healthy,
        running=running,
    )
    return STANDING.decide(standing) or Verdict(message=f"applied; {healthy.message}")


def look_again_in(desired: ProxySpec, observed: ObservedProxy, *, ready: bool) -> float:
    if observed.postponed:
        return AT_ONCE
    usual = REVISIT if ready else REVISIT_NOT_READY
    left = seconds_left(desired, observed, observed.recorded)
    return usual if left is None else max(AT_ONCE, min(usual, left))
