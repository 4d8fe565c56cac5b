"""What a CoderAppearance declares, and what its status says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Final

from pydantic import AwareDatetime, Field

from coder_enterprise.client import records
from coder_enterprise.kinds.machinery.common import ManagedSpec, ManagedStatus, Picture
from coder_enterprise.kinds.machinery.schema import Cel, KindModel

APPEARANCE: Final = "appearance"
"""The feature, and the name and the id of the one thing that all objects of the kind stand for."""
MAX_NAME: Final = 128
MAX_MESSAGE: Final = 1024
MAX_MESSAGES: Final = 6000
"""Characters of all banners together: Coder keeps them in one text of 8192 characters, with markup."""
MAX_BANNERS: Final = 16
MAX_LINKS: Final = 64
# Term by term: to Kubernetes before 1.30, the sum of a mapped list may be beyond all bounds.
_SIZE_OF_MESSAGES: Final = " + ".join(
    f"(size(self.announcementBanners) > {n} ? size(self.announcementBanners[{n}].message) : 0)"
    for n in range(MAX_BANNERS)
)

Color = Annotated[str, Field(max_length=7, pattern=r"^#[0-9A-Fa-f]{6}$")]
Message = Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)]


class ServiceBanner(KindModel):
    enabled: bool = True
    """Default: true. A banner that is switched off is not sent."""
    message: Message | None = None
    """What it says; Markdown."""
    background_color: Color | None = None
    """Such as #a32d2d."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "(has(self.enabled) && !self.enabled) || (has(self.message) && has(self.backgroundColor))",
            "a banner that is enabled needs message and backgroundColor",
        ),
    )


class AnnouncementBanner(KindModel):
    message: Message
    """What it says; Markdown."""
    background_color: Color
    """Such as #a32d2d."""
    enabled: bool = True
    """Default: true."""
    starts_at: AwareDatetime | None = None
    """When it appears, such as 2027-03-01T18:00:00Z. Default: at once."""
    ends_at: AwareDatetime | None = None
    """When it disappears. Default: never."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!has(self.startsAt) || !has(self.endsAt) || self.startsAt < self.endsAt",
            "startsAt must be before endsAt",
            field_path=".startsAt",
        ),
    )

    def is_active(self, moment: datetime) -> bool:
        begun = self.starts_at is None or self.starts_at <= moment
        return self.enabled and begun and (self.ends_at is None or moment < self.ends_at)


class AppearanceSpec(ManagedSpec):
    application_name: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    """What the deployment calls itself; "" is Coder's own name."""
    logo_url: Annotated[
        Picture | None,
        Field(alias="logoURL"),
    ] = None
    """Picture: an http(s) URL, or a path on the deployment such as /emojis/1f680.png; "" is Coder's own."""
    service_banner: ServiceBanner | None = None
    """The one banner on top of each page."""
    announcement_banners: Annotated[tuple[AnnouncementBanner, ...], Field(max_length=MAX_BANNERS)] | None = None
    """Exactly these banners, each for its time, from top to bottom. Below Coder 2.12 only the first that is active is
    shown. [] is none."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!(has(self.serviceBanner) && has(self.announcementBanners))",
            "serviceBanner and announcementBanners exclude each other",
            field_path=".serviceBanner",
        ),
        Cel(
            f"!has(self.announcementBanners) || {_SIZE_OF_MESSAGES} <= {MAX_MESSAGES}",
            f"the messages have more than {MAX_MESSAGES} characters together, which is more than Coder keeps",
            field_path=".announcementBanners",
        ),
        *ManagedSpec.cel,
    )

    def active_banners(self, moment: datetime) -> tuple[records.Banner, ...] | None:
        """What Coder is to show then; None where banners are left alone."""
        if self.announcement_banners is not None:
            shown = [banner for banner in self.announcement_banners if banner.is_active(moment)]
            return tuple(_banner(banner.message, banner.background_color) for banner in shown)
        if self.service_banner is None:
            return None
        banner = self.service_banner
        return (_banner(banner.message or "", banner.background_color or ""),) if banner.enabled else ()

    def next_transition(self, moment: datetime) -> datetime | None:
        """When a banner next appears or disappears."""
        declared = [banner for banner in self.announcement_banners or () if banner.enabled]
        times = [time for banner in declared for time in (banner.starts_at, banner.ends_at)]
        return min((time for time in times if time is not None and time > moment), default=None)


class AppearanceStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=16)] | None = None
    """appearance: there is only one per deployment."""
    active_banners: (
        Annotated[tuple[Annotated[str, Field(max_length=MAX_MESSAGE)], ...], Field(max_length=MAX_BANNERS)] | None
    ) = None
    """What the banners say that Coder shows now."""
    support_links: (
        Annotated[tuple[Annotated[str, Field(max_length=MAX_NAME)], ...], Field(max_length=MAX_LINKS)] | None
    ) = None
    """Names of the links in Coder's menu: a setting of the server, only shown here."""
    next_transition: datetime | None = None
    """When a banner next appears or disappears."""
    unmanaged_fields: Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(max_length=4)] | None = None
    """What is set in Coder and left alone, because spec does not declare it."""


def _banner(message: str, color: str) -> records.Banner:
    return records.Banner(enabled=True, message=message, background_color=color)
