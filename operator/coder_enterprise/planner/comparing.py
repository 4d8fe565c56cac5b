"""What one object would change in Coder, and what its policies make of that.

Called by `planner.planning` for each object, and by `planner.applying` right before it writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.kinds.machinery import consent
from coder_enterprise.kinds.machinery.base import Observation
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import ManagementPolicy
from coder_enterprise.kinds.machinery.errors import KindError, stalled
from coder_enterprise.kinds.machinery.lookups import in_words, require_feature
from coder_enterprise.kinds.machinery.ownership import Finding, Foreign, is_ours, refusal
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.suspension import suspension
from coder_enterprise.planner.items import Item
from coder_enterprise.planner.plans import Step, Verb
from coder_enterprise.planner.servers import Server

Namespaces = Mapping[str, Mapping[str, str]]
"""Labels of those that are known, by name."""
VERBS: Final = {Meaning.WAITING: Verb.WAIT, Meaning.STALLED: Verb.REFUSE, Meaning.TRANSIENT: Verb.FAIL}
"""What becomes of an object that an error stands in the way of."""


@dataclass(frozen=True)
class Look:
    """One look at Coder, and what follows from it."""

    step: Step
    observed: Any = None
    """None where nothing was looked at."""
    changes: Sequence[Change] = ()


async def look(item: Item, server: Server, namespaces: Namespaces, *, live: bool, fresh: bool = False) -> Look:
    """`live`: a cluster says what the object made; else nobody knows. `fresh`: from
    Coder itself and not from lists that were read before. Errors of Coder are steps."""
    try:
        stopped = suspension(item.resource.spec)
        if stopped:
            return Look(item.stopped(Verb.UNCHANGED, Reason.SUSPENDED, stopped.message))
        _require_consent(item, server, namespaces)
        require_feature(item.kind, server.features)
        return await _compared(item, server, namespaces, live=live, fresh=fresh)
    except OperatorError as failed:
        error = in_words(item.kind, failed)
        pending = error.pending if isinstance(error, KindError) else ()
        verb = Verb.WAIT if _lacks_secret(item, error) else VERBS[error.meaning]
        return Look(item.stopped(verb, error.reason, error.message, pending))


def _lacks_secret(item: Item, error: OperatorError) -> bool:
    """One that it names, and that is rarely among manifests: nothing in them need change for it."""
    return error.reason == Reason.SECRET_NOT_FOUND and bool(item.kind.secrets(item.resource, item.spec))


def _require_consent(item: Item, server: Server, namespaces: Namespaces, changes: Sequence[Change] = ()) -> None:
    """Raises `KindError` unless the CoderDeployment lets the object use it, as far as that is among the manifests."""
    namespace = item.resource.key.namespace
    if namespace == server.key.namespace or server.allowances is None:
        return
    labels = namespaces.get(namespace)
    entries = consent.entries_for(server.allowances, namespace, labels)
    if not entries and labels is None and any(each.namespace_selector for each in server.allowances):
        why = (
            f"selects namespaces by labels, and those of {namespace} are not known: add its Namespace to the manifests"
        )
        raise stalled(Reason.NOT_ALLOWED, f"{server.key} {why}")
    refused = consent.refusal(entries, namespace, item.kind.demand(item.spec, changes))
    if refused:
        raise stalled(Reason.NOT_ALLOWED, f"{server.key} {refused}")


async def _compared(item: Item, server: Server, namespaces: Namespaces, *, live: bool, fresh: bool) -> Look:
    kind, resource, spec = item.kind, item.resource, item.spec
    item.identity = await kind.identity(server.context, resource, spec)
    observed = await kind.observe(server.context, resource, spec, fresh=fresh)
    changes = kind.plan(spec, observed, resource.status)
    _require_consent(item, server, namespaces, changes)  # which may take roles that spec does not name
    fields = kind.report(spec, observed, (), resource.status)
    step = Step(
        key=resource.key,
        verb=Verb.CREATE if observed.external_id is None else Verb.CHANGE,
        title=kind.title(resource, spec),
        deployment=item.deployment,
        external_id=observed.external_id,
        changes=tuple(changes),
        pending=_names(fields.get(kind.pending_field or "")),
        origin=item.origin,
    )
    return Look(_judged(step, item, observed, live=live), observed, changes)


def _names(pending: Any) -> tuple[str, ...]:
    return tuple(map(str, pending)) if isinstance(pending, list | tuple) else ()


def _judged(step: Step, item: Item, observed: Observation, *, live: bool) -> Step:
    """With what policies and missing things make of it."""
    policy = item.spec.management_policy
    if policy is not ManagementPolicy.ENFORCE:
        message = f"managementPolicy is {policy}: what differs is only shown"
        return replace(step, verb=Verb.UNCHANGED, reason=Reason.OBSERVED, message=message)
    if observed.trouble is not None:
        trouble = observed.trouble
        verb = step.verb if step.changes else VERBS[trouble.meaning]
        return replace(step, verb=verb, reason=Reason(trouble.reason), message=trouble.message)
    if not is_ours(Finding(observed, item.resource.external_id, proven=False)):
        step = _foreign(step, item, observed, live=live)
    if step.changes or step.verb is not Verb.CHANGE:
        return step
    return replace(step, verb=Verb.WAIT if step.pending else Verb.UNCHANGED)


def _foreign(step: Step, item: Item, observed: Observation, *, live: bool) -> Step:
    """It exists in Coder, and no status says that this object has made it."""
    foreign = Foreign(step.title, observed, None, item.spec.adoption_policy, step.changes)
    refused = refusal(foreign)
    if refused is None:
        return replace(step, verb=Verb.ADOPT) if live and not observed.free else step
    if live:
        return replace(step, verb=Verb.REFUSE, reason=Reason(refused.reason), message=refused.message)
    if not step.changes:
        return step
    message = "it exists in Coder: refused unless this object made it, or spec.adoptionPolicy is Adopt"
    return replace(step, unproven=True, message=message)
