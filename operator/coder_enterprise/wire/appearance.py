"""What the deployment looks like to its users: its name, its logo, its banners and its support links."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class Banner(WireModel):
    enabled: bool = False
    message: str = ""
    background_color: str = ""


class SDKBanner(Banner):
    message: str = Field(default="", exclude_if=lambda value: not value)
    background_color: str = Field(default="", exclude_if=lambda value: not value)


class SupportLink(WireModel):
    name: str
    target: str
    icon: str = ""


class UpdateAppearanceConfig(WireModel):
    """The answer to an update."""

    application_name: str
    logo_url: str
    service_banner: Banner


class SDKUpdateAppearanceConfig(UpdateAppearanceConfig):
    service_banner: SDKBanner
    announcement_banners: list[SDKBanner]


class AppearanceConfig(UpdateAppearanceConfig):
    support_links: list[SupportLink]


class SDKAppearanceConfig(AppearanceConfig):
    service_banner: SDKBanner
    announcement_banners: list[SDKBanner]
    docs_url: str


class UpdateAppearanceRequest(WireModel):
    """All of it is replaced: what is absent is cleared. `service_banner` counts only without `announcement_banners`."""

    application_name: str = ""
    logo_url: str = ""
    service_banner: SDKBanner | None = None
    announcement_banners: list[SDKBanner] | None = None


APPEARANCE: Final[Shape[SDKAppearanceConfig]] = Shape(View(AppearanceConfig), View(SDKAppearanceConfig))
APPEARANCE_UPDATED: Final[Shape[SDKUpdateAppearanceConfig]] = Shape(
    View(UpdateAppearanceConfig), View(SDKUpdateAppearanceConfig)
)
