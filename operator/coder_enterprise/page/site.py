"""What all pages have in common: where what they show comes from. Made by the server, found by the handlers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web
from jinja2 import Environment

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.controller.view import View
from coder_enterprise.page.happenings import Happenings
from coder_enterprise.page.rows import Rows
from coder_enterprise.page.settings import PageSettings


@dataclass(frozen=True)
class Site:
    view: View
    client: KubernetesClient
    """With the operator's own rights: what is read with it, a handler must ask `access.reviews` for first."""
    settings: PageSettings
    templates: Environment
    rows: Rows
    happenings: Happenings


SITE: Final = web.AppKey("site", Site)
