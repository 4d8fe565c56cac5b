"""`/templates`: who may use a template, through which group, and where that is declared.

All of it is what Coder says: for whoever may `inspect` the CoderDeployment, as on the page of people.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from coder_enterprise.page.answers import Access, Templates
from coder_enterprise.page.people import (
    INQUIRIES,
    chosen,
    declared,
    may_inspect,
    person_url,
    template_url,
)
from coder_enterprise.page.rendering import render
from coder_enterprise.page.searches import typed
from coder_enterprise.page.sight import seen_deployments, sight
from coder_enterprise.page.site import SITE

SHOWN: Final = 200
"""Templates in the list: the search finds what is not among them."""

routes = web.RouteTableDef()


@routes.get("/templates")
async def show(request: web.Request) -> web.Response:
    see, view = await sight(request), request.app[SITE].view
    text, template_id = typed(request), typed(request, "id")
    deployments = seen_deployments(view, see)
    deployment = chosen(request, deployments)
    may_ask = deployment is not None and await may_inspect(request, deployment)
    access, templates = Access(), Templates()
    if deployment is not None and may_ask:
        templates = await request.app[INQUIRIES].templates(deployment)
        if any(template.id == template_id for _, template in templates.found):
            access = await request.app[INQUIRIES].access(deployment, template_id)
    words = text.lower().split()
    found = [each for each in templates.found if all(word in f"{each[1].name} {each[0]}".lower() for word in words)]
    return render(
        request,
        "templates.html",
        text=text,
        template_id=template_id,
        deployments=deployments,
        deployment=deployment,
        may_ask=may_ask,
        access=access,
        templates=templates,
        found=found[:SHOWN],
        more=max(0, len(found) - SHOWN),
        declared=lambda external_id: declared(view, see, external_id),
        template_url=template_url,
        person_url=person_url,
    )
