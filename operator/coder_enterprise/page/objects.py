"""`/objects/<plural>/<namespace>/<name>`: how one object stands, in words first, and all that explains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from coder_enterprise.cluster.paths import EVENTS
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.explanations import EXPLANATIONS
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Names, Resource
from coder_enterprise.kinds.machinery.suspension import suspension
from coder_enterprise.oncall.standing import Standing, complaints, standing
from coder_enterprise.page import graph, journal
from coder_enterprise.page.access.reviews import VIEWER, may
from coder_enterprise.page.acts import offered
from coder_enterprise.page.diff import differences
from coder_enterprise.page.documents import document
from coder_enterprise.page.graph import Graph
from coder_enterprise.page.happenings import Events, Happenings, remembered
from coder_enterprise.page.rendering import render
from coder_enterprise.page.rows import row
from coder_enterprise.page.sight import sight
from coder_enterprise.page.site import SITE
from coder_enterprise.page.turns import turn

ELSEWHERE: Final = frozenset({"conditions", "pendingChanges"})
"""What the page shows of a status in other places than its YAML."""
POLICIES: Final = ("managementPolicy", "adoptionPolicy", "deletionPolicy", "resyncInterval")
_KNOWN: Final = frozenset(Reason)

routes = web.RouteTableDef()


@dataclass(frozen=True)
class Said:
    """A condition, and what its reason means."""

    standing: Standing
    meaning: str
    advice: str


@routes.get("/objects/{plural}/{namespace}/{name}")
async def show(request: web.Request) -> web.Response:
    site, see = request.app[SITE], await sight(request)
    names, key = _asked(request, site.view)
    if not see.sees(key):
        raise web.HTTPNotFound
    resource = site.view.get(key)
    if resource is None:
        waiting = [other for other in site.view.waited_for_by(key) if see.sees(other)]
        return render(request, "absent.html", HTTPStatus.NOT_FOUND, key=key, waiting=waiting)
    events = await _events(request, key)
    await site.rows.ready()
    await turn(request)
    how, drawn = standing(resource), graph.draw(site.view, see, site.rows.table().tally, resource)
    return render(
        request,
        "object.html",
        names=names,
        offered=await offered(request, resource, names.plural),
        row=row(resource, ""),
        resource=resource,
        said=_said(how),
        complaints=[_said(each) for each in complaints(resource)] if how.ready else [],
        conditions=[standing(resource, str(each.get("type"))) for each in resource.status.get("conditions") or ()],
        facts=list(_facts(resource)),
        deployment=(deployment := site.view.deployment_of(resource)),
        sees_deployment=see.sees(deployment),
        elsewhere=not site.view.works_for(deployment),
        differences=differences(resource.status.get("pendingChanges") or ()),
        history=journal.of_object(site.view, see, key),
        drawn=drawn,
        about=_about(key, drawn),
        events=events,
        spec=document(resource.spec),
        status=document(resource.status, ELSEWHERE),
    )


def _asked(request: web.Request, view: View) -> tuple[Names, Key]:
    plural, namespace, name = (request.match_info[part] for part in ("plural", "namespace", "name"))
    for names in view.kinds:
        if names.plural == plural:
            return names, Key(names.kind, namespace, name)
    raise web.HTTPNotFound


async def _events(request: web.Request, key: Key) -> Events:
    """With the rights of whoever looks, where the page has a token of theirs; else with the operator's own, which has
    those in mind that it has sent, if it may not."""
    connect = request[VIEWER].client
    if connect is not None:
        async with connect() as client:
            return await Happenings(client).of(key)
    if not await may(request, "list", EVENTS.resource, key.namespace):
        return Events(trouble="you may not list events here")
    found = await request.app[SITE].happenings.of(key)
    return remembered(request.app[SITE].view, key, found.trouble) if found.trouble else found


def _said(how: Standing) -> Said:
    known = EXPLANATIONS[Reason(how.reason)] if how.reason in _KNOWN else None
    advice = known.advice if known and known.advice != "Nothing." else ""
    return Said(how, known.meaning if known else "", advice)


def _facts(resource: Resource) -> Iterator[tuple[str, str]]:
    if resource.external_id:
        yield "Id in Coder", resource.external_id
    if resource.deleting:
        yield "Being deleted", f"held by {', '.join(resource.finalizers) or 'nothing'}"
    observed = resource.status.get("observedGeneration")
    if observed != resource.generation:
        yield "Not seen yet", f"spec is at generation {resource.generation}, status speaks of {observed}"
    paused = suspension(resource.spec)
    if paused:
        yield "Suspended", paused.why
    for policy in POLICIES:
        if resource.spec.get(policy):
            yield f"{policy[0].upper()}{policy[1:]}", str(resource.spec[policy])


def _about(key: Key, drawn: Graph) -> Sequence[str]:
    """Whose changes are seen on the page."""
    return ["/".join(key), *("/".join(node.key) for node in drawn.nodes if node.key and node.key != key)]
