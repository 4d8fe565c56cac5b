"""How a deployment looks, as the spec of a CoderAppearance."""

from __future__ import annotations

from coder_enterprise.client import records
from coder_enterprise.kinds.appearance.spec import APPEARANCE
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.declarations import Declaration, without_blanks


async def appearance_declarations(context: Context) -> list[Declaration]:
    """One, or none where nobody ever set anything."""
    appearance = await context.client.appearance.get()
    if appearance.is_default:
        return []
    spec = {
        "applicationName": appearance.application_name,
        "logoURL": appearance.logo_url,
        "announcementBanners": [_banner(banner) for banner in appearance.banners if banner.enabled],
    }
    return [Declaration(APPEARANCE, APPEARANCE, without_blanks(spec))]


def _banner(banner: records.Banner) -> dict[str, str]:
    return {"message": banner.message, "backgroundColor": banner.background_color}
