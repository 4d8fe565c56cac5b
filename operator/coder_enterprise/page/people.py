"""`/people`: who somebody is in Coder and what they may use, through what, and which objects name them.

What objects say, whoever may list them sees. What Coder says of people, beyond that, is for whoever may `inspect` the
CoderDeployment: a verb that no other part of Kubernetes uses, so that nobody has it by chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from coder_enterprise.client import records
from coder_enterprise.cluster.rules import INSPECT
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page.access.reviews import may
from coder_enterprise.page.answers import People
from coder_enterprise.page.inquiries import Inquiries
from coder_enterprise.page.mentions import Mentions, Named
from coder_enterprise.page.rendering import render
from coder_enterprise.page.rows import Row, row
from coder_enterprise.page.searches import typed
from coder_enterprise.page.sight import Sight, seen_deployments, sight
from coder_enterprise.page.site import SITE, Site

MAX_CANDIDATES: Final = 25
MAX_MENTIONS: Final = 200

INQUIRIES: Final = web.AppKey("inquiries", Inquiries)
MENTIONS: Final = web.AppKey("mentions", Mentions)

routes = web.RouteTableDef()


def set_up(app: web.Application, site: Site) -> None:
    inquiries = app[INQUIRIES] = Inquiries(site.view)
    app[MENTIONS] = Mentions(site.view)

    async def end(_: web.Application) -> None:
        await inquiries.close()

    app.on_cleanup.append(end)


@dataclass(frozen=True)
class Line:
    """An object that names the person."""

    row: Row
    paths: tuple[str, ...]
    role: str
    waits: bool
    """It waits for them to appear in Coder."""


@dataclass(frozen=True)
class Candidate:
    name: str
    hint: str
    url: str


@routes.get("/people")
async def show(request: web.Request) -> web.Response:
    see, text = await sight(request), typed(request)
    view = request.app[SITE].view
    deployments = seen_deployments(view, see)
    deployment = chosen(request, deployments)
    may_ask = deployment is not None and await may_inspect(request, deployment)
    answer, lines, candidates, more = People(), list[Line](), list[Candidate](), 0
    if deployment is not None and text:
        if may_ask:
            answer = await request.app[INQUIRIES].people(deployment, text)
        user = answer.person.user if answer.person else None
        names = {text, *(names_of(user) if user else ())}
        names |= _aliases(view, _named(request, see, names, deployment))
        named = _named(request, see, names, deployment)
        lines, more = _lines(view, named[:MAX_MENTIONS], names), max(0, len(named) - MAX_MENTIONS)
        if user is None and not lines:
            alike = (each for each in request.app[MENTIONS].like(text, deployment) if see.sees(each.key))
            candidates = _candidates(deployment, answer.users, alike)
    return render(
        request,
        "people.html",
        text=text,
        deployments=deployments,
        deployment=deployment,
        may_ask=may_ask,
        answer=answer,
        person=answer.person,
        lines=lines,
        more=more,
        candidates=candidates,
        declared=lambda external_id: declared(view, see, external_id),
        template_url=template_url,
    )


def _named(request: web.Request, see: Sight, names: Iterable[str], deployment: Key) -> list[Named]:
    return [each for each in request.app[MENTIONS].of(names, deployment) if see.sees(each.key)]


def _aliases(view: View, named: Iterable[Named]) -> set[str]:
    """What else the objects call them that declare them."""
    declaring = (view.get(each.key) for each in named if not each.mention.role)
    return {mention.who for resource in declaring if resource is not None for mention in view.mentions(resource)}


def chosen(request: web.Request, deployments: Sequence[Key]) -> Key | None:
    """The one that the URL names, or the first."""
    asked = request.query.get("deployment", "")
    named = (key for key in deployments if key.namespaced_name == asked)
    return next(named, deployments[0] if deployments else None)


async def may_inspect(request: web.Request, deployment: Key) -> bool:
    plural = next(names.plural for names in request.app[SITE].view.kinds if names.kind == deployment.kind)
    return await may(request, INSPECT, plural, deployment.namespace, deployment.name)


def names_of(user: records.User) -> set[str]:
    return {name for name in (user.email, user.username, user.id) if name}


def declared(view: View, see: Sight, external_id: str) -> list[Key]:
    """The objects that stand for it, as far as they may be seen."""
    return [key for key in view.holders(external_id) if see.sees(key)]


def person_url(deployment: Key, name: str) -> str:
    return f"/people?{urlencode({'q': name, 'deployment': deployment.namespaced_name})}"


def template_url(deployment: Key, template_id: str) -> str:
    return f"/templates?{urlencode({'deployment': deployment.namespaced_name, 'id': template_id})}"


def _lines(view: View, named: Iterable[Named], names: Iterable[str]) -> list[Line]:
    lowered = {name.lower() for name in names}
    places: dict[tuple[Key, str], list[str]] = {}
    for each in named:
        places.setdefault((each.key, each.mention.role), []).append(each.mention.path)
    found = []
    for (key, role), paths in places.items():
        resource = view.get(key)
        if resource is not None:
            waits = any(text.rpartition(" ")[2].lower() in lowered for text in view.awaited(resource))
            found.append(Line(row(resource, view.deployment_of(resource).namespaced_name), tuple(paths), role, waits))
    return found


def _candidates(deployment: Key, users: Iterable[records.User], alike: Iterable[Named]) -> list[Candidate]:
    """Whom it may mean: people whom Coder has, and those whom objects name."""
    found: dict[str, Candidate] = {}
    for user in users:
        name = user.email or user.username
        found[name.lower()] = Candidate(name, user.name or user.username, person_url(deployment, user.username))
        found[user.username.lower()] = found[name.lower()]
    for each in alike:
        if len(found) > 2 * MAX_CANDIDATES:
            break
        who = each.mention.who
        found.setdefault(who.lower(), Candidate(who, "named by objects", person_url(deployment, who)))
    return list(dict.fromkeys(found.values()))[:MAX_CANDIDATES]
