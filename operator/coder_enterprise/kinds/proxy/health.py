"""How Coder finds a workspace proxy: its health in status and in conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.texts import clipped
from coder_enterprise.kinds.proxy.find import ObservedProxy
from coder_enterprise.kinds.proxy.spec import MAX_MESSAGE, MAX_MESSAGES, MAX_URL, MAX_VERSION

_SOURCE_PORT: Final = re.compile(r":[0-9]{1,5}->")
"""In Go's network errors: another one at each check."""


def proxy_fields(observed: ObservedProxy) -> dict[str, Any]:
    proxy = observed.proxy
    if proxy is None:
        return dict.fromkeys(("id", "url", "wildcardHostname", "version", "health"))
    return {
        "id": proxy.id,
        "url": proxy.path_app_url[:MAX_URL] or None,
        "wildcardHostname": proxy.wildcard_hostname[:255] or None,
        "version": proxy.version[:MAX_VERSION] or None,
        "health": _health_field(observed),
    }


def _health_field(observed: ObservedProxy) -> dict[str, Any]:
    status, told_errors, told_warnings = _health(observed)
    before = _recorded_health(observed)
    since = before.get("since") if before.get("status") == status else None
    lists = {"errors": told_errors, "warnings": told_warnings}
    shown = {name: list(texts) for name, texts in lists.items() if texts}
    return {"status": status, "since": since or timestamp(observed.now), **shown}


def _recorded_health(observed: ObservedProxy) -> Mapping[str, Any]:
    """Of this very proxy; one that is only looked at has no id in status."""
    same = observed.proxy is not None and observed.recorded.get("id") in {None, observed.proxy.id}
    return observed.recorded.get("health") or {} if same else {}


def _health(observed: ObservedProxy) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Status, errors and warnings. A server that was just started knows nothing yet: what it said before holds.

    The documented shapes have no word for that: a proxy with an address that is `unregistered` is unknown.
    """
    if observed.proxy is None:
        return "unknown", (), ()
    found = observed.proxy.status
    registered = bool(observed.proxy.path_app_url)
    if found.status in {"unknown", "unregistered"}:
        before = _recorded_health(observed)
        if registered and before.get("status") in {"ok", "unreachable", "unhealthy"}:
            return before["status"], tuple(before.get("errors") or ()), tuple(before.get("warnings") or ())
        return ("unknown" if registered else "unregistered"), (), ()
    return found.status[:32], _bounded(found.report.errors), _bounded(found.report.warnings)


def _bounded(texts: Sequence[str]) -> tuple[str, ...]:
    cleaned = [_SOURCE_PORT.sub("->", text).strip() for text in texts]
    return tuple(clipped(text, MAX_MESSAGE) for text in cleaned[:MAX_MESSAGES])


def registered_condition(observed: ObservedProxy) -> DomainCondition:
    url = observed.proxy.path_app_url if observed.proxy else ""
    if url:
        return DomainCondition("Registered", "True", Reason.REGISTERED, f"it has registered as {url}")
    return DomainCondition("Registered", "False", Reason.NOT_REGISTERED, "it has never registered")


def healthy_condition(observed: ObservedProxy) -> DomainCondition:
    status, told_errors, told_warnings = _health(observed)
    told = "; ".join((*told_errors, *told_warnings))
    if status == "ok":
        note = f"Coder finds it healthy, and warns: {told}" if told else "Coder finds it healthy"
        return DomainCondition("Healthy", "True", Reason.PROXY_HEALTHY, note)
    if status == "unregistered":
        return DomainCondition("Healthy", "Unknown", Reason.NOT_REGISTERED, "it has never registered")
    if status == "unknown":
        return DomainCondition("Healthy", "Unknown", Reason.NOT_CHECKED, "Coder has not looked at it yet")
    reason = Reason.PROXY_UNREACHABLE if status == "unreachable" else Reason.PROXY_UNHEALTHY
    return DomainCondition("Healthy", "False", reason, f"Coder finds it {status}: {told or 'no reason given'}")
