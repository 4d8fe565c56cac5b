"""What the deployment looks like: stored by owners at any time, shown while a licence enables it.

Kept as one value, replaced as a whole. The rules are Coder's (later than 2.8: it stays during a grace period); values
that upstream fails to store are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import Field

from coder_enterprise.server import access
from coder_enterprise.server.access import Action, Actor, Kind, Subject
from coder_enterprise.server.errors import BadRequest, invalid
from coder_enterprise.server.services import audit
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.storage import site_settings
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.wire.appearance import (
    SDKAppearanceConfig,
    SDKBanner,
    SDKUpdateAppearanceConfig,
    SupportLink,
    UpdateAppearanceRequest,
)
from coder_enterprise.wire.common import WireModel

SETTING: Final = "appearance"
DOCS_URL: Final = "https://coder.com/docs/coder-oss"
DEFAULT_SUPPORT_LINKS: Final = (
    SupportLink(name="Documentation", target=DOCS_URL, icon="docs"),
    SupportLink(
        name="Report a bug",
        target="https://github.com/coder/coder/issues/new?labels=needs+grooming&body={CODER_BUILD_INFO}",
        icon="bug",
    ),
    SupportLink(
        name="Join the Coder Discord",
        target="https://coder.com/chat?utm_source=coder&utm_medium=coder&utm_campaign=server-footer",
        icon="chat",
    ),
)
"""Coder's own; the dashboard puts the build in the place of {CODER_BUILD_INFO}."""
COLOR_FORM: Final = re.compile(r"#[0-9A-Fa-f]{6}")
MAX_LENGTH: Final = 8192
"""Characters of each text."""
MAX_BANNERS: Final = 100


class Stored(WireModel):
    """The value of the setting."""

    application_name: str = ""
    logo_url: str = ""
    banners: list[SDKBanner] = Field(default_factory=list)

    @property
    def service_banner(self) -> SDKBanner:
        """For those who know only one."""
        return self.banners[0] if self.banners else SDKBanner()


class Appearance:
    """`support_links` are the operator's; without any, Coder's own are shown."""

    def __init__(
        self, database: Database, entitlements: Entitlements, support_links: Sequence[SupportLink] = ()
    ) -> None:
        self._database = database
        self._entitlements = entitlements
        self._support_links = support_links

    async def get(self) -> SDKAppearanceConfig:
        enabled = self._entitlements.enabled(Feature.APPEARANCE)
        stored = await self._database.read(_load) if enabled else Stored()
        links = self._support_links if enabled and self._support_links else DEFAULT_SUPPORT_LINKS
        return SDKAppearanceConfig(
            application_name=stored.application_name,
            logo_url=stored.logo_url,
            service_banner=stored.service_banner,
            announcement_banners=stored.banners,
            support_links=list(links),
            docs_url=DOCS_URL,
        )

    async def put(self, actor: Actor, request: UpdateAppearanceRequest) -> SDKUpdateAppearanceConfig:
        """Whether or not it is shown. Raises `Forbidden`, and `BadRequest` for a colour or a length."""
        access.require(actor, Action.UPDATE, Subject(Kind.APPEARANCE))
        _check(request)
        wanted = Stored(application_name=request.application_name, logo_url=request.logo_url, banners=_banners(request))
        await self._database.write_as(actor, lambda connection, actor: _store(connection, actor, wanted))
        return SDKUpdateAppearanceConfig(
            application_name=wanted.application_name,
            logo_url=wanted.logo_url,
            service_banner=wanted.service_banner,
            announcement_banners=wanted.banners,
        )


def _banners(request: UpdateAppearanceRequest) -> list[SDKBanner]:
    if request.announcement_banners is not None:
        return request.announcement_banners
    return [request.service_banner] if request.service_banner not in (None, SDKBanner()) else []


def _check(request: UpdateAppearanceRequest) -> None:
    if len(request.announcement_banners or ()) > MAX_BANNERS:
        raise invalid(announcement_banners=f"must be at most {MAX_BANNERS}")
    too_long = [name for name, text in _texts(request) if len(text) > MAX_LENGTH]
    if too_long:
        raise invalid(**dict.fromkeys(too_long, f"must have at most {MAX_LENGTH} characters"))
    wrong = [name for name, text in _colors(request) if not COLOR_FORM.fullmatch(text)]
    if wrong:
        cause = "must be # and six hexadecimal digits, such as #3366ff"
        raise BadRequest("A colour is not valid.", f"{wrong[0]} {cause}.", dict.fromkeys(wrong, cause))


def _named_banners(request: UpdateAppearanceRequest) -> Iterator[tuple[str, SDKBanner]]:
    if request.service_banner is not None:
        yield "service_banner", request.service_banner
    for number, banner in enumerate(request.announcement_banners or ()):
        yield f"announcement_banners.{number}", banner


def _texts(request: UpdateAppearanceRequest) -> Iterator[tuple[str, str]]:
    yield "application_name", request.application_name
    yield "logo_url", request.logo_url
    for name, banner in _named_banners(request):
        yield f"{name}.message", banner.message
        yield f"{name}.background_color", banner.background_color


def _colors(request: UpdateAppearanceRequest) -> Iterator[tuple[str, str]]:
    """Those that Coder looks at: of announcements always, of a service banner that is used and shown."""
    for name, banner in _named_banners(request):
        if name != "service_banner" or (banner.enabled and request.announcement_banners is None):
            yield f"{name}.background_color", banner.background_color


def _load(connection: Connection) -> Stored:
    return Stored.model_validate(site_settings.get(connection, SETTING) or {})


def _store(connection: Connection, actor: Actor, wanted: Stored) -> None:
    access.require(actor, Action.UPDATE, Subject(Kind.APPEARANCE))
    known = _load(connection)
    if wanted == known:
        return
    site_settings.put(connection, SETTING, wanted.model_dump())
    audit.record(
        connection, actor.id, "write", (SETTING, SETTING, SETTING), before=known.model_dump(), after=wanted.model_dump()
    )
