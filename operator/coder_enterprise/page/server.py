"""The page as a server, for as long as the operator runs. Made by the operator's command, started by the manager."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.controller.view import View
from coder_enterprise.page import (
    acts,
    journal,
    lists,
    live,
    objects,
    overview,
    people,
    rendering,
    shared,
    template_access,
    turns,
)
from coder_enterprise.page.access.gate import Gate
from coder_enterprise.page.access.middlewares import put_up
from coder_enterprise.page.failures import failures
from coder_enterprise.page.happenings import Happenings
from coder_enterprise.page.rows import Rows
from coder_enterprise.page.serving import Listening
from coder_enterprise.page.settings import PageSettings
from coder_enterprise.page.site import SITE, Site

STATIC: Final = Path(__file__).parent / "static"
ROUTES: Final = (
    overview.routes,
    journal.routes,
    lists.routes,
    objects.routes,
    people.routes,
    template_access.routes,
    acts.routes,
    live.routes,
)
SHUTDOWN_TIMEOUT: Final = 2.0
"""Seconds that requests have to end at the end."""
MAX_BODY: Final = 64 * 1024
"""Bytes of what is sent here: a token is the longest."""


def application(site: Site) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY, middlewares=[failures])
    app[SITE] = site
    put_up(app, Gate(site.settings, site.client, site.view))
    turns.set_up(app)
    shared.set_up(app)
    live.set_up(app, site)
    overview.set_up(app, site)
    people.set_up(app, site)
    for routes in ROUTES:
        app.add_routes(routes)
    app.router.add_static("/static", STATIC)
    return app


class PageServer:
    """Serves what comes to the listener of `settings`, which it closes at its end."""

    def __init__(self, view: View, client: KubernetesClient, settings: PageSettings) -> None:
        templates = rendering.environment(view.kinds, settings.grafana)
        self._app = application(Site(view, client, settings, templates, Rows(view), Happenings(client)))
        self._listening = Listening(self._app, settings.listener, settings.certificate, SHUTDOWN_TIMEOUT)

    async def __aenter__(self) -> PageServer:
        await self._listening.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._listening.__aexit__(*exception)
