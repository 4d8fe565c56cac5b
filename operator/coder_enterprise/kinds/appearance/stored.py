"""The appearance that Coder has stored, where it shows it, and the write of it."""

from __future__ import annotations

from coder_enterprise.client import records
from coder_enterprise.client.snapshots import Snapshot
from coder_enterprise.kinds.appearance.spec import APPEARANCE
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import waiting
from coder_enterprise.kinds.machinery.reasons import Reason


def shared(context: Context) -> Snapshot[records.Appearance]:
    return context.directory.shared(APPEARANCE, lambda: read_appearance(context))


async def read_appearance(context: Context) -> records.Appearance:
    """What is stored. Raises `KindError` where the server does not show it."""
    appearance = await context.client.appearance.get()
    if not appearance.is_default:
        return appearance
    # Never set, or not shown. Only an entitlement that was there before the second look tells the two apart.
    entitlements = await context.client.server.entitlements()
    feature = entitlements.features.get(APPEARANCE)
    level = feature.entitlement if feature and feature.enabled else "not_entitled"
    if level == "entitled" or (level == "grace_period" and appearance.has_announcements):
        return await context.client.appearance.get()
    why = "in the licence's grace period" if level == "grace_period" else "without a licence for it"
    raise waiting(
        Reason.NOT_ENTITLED,
        f"this server may hide its appearance {why} ({APPEARANCE}), so that it is neither compared nor written; "
        "add a licence",
    )


async def put_appearance(context: Context, known: records.Appearance, wanted: records.Appearance) -> records.Appearance:
    announcements = wanted.announcement_banners if known.has_announcements else wanted.banners
    answer = await context.client.appearance.put(wanted.model_copy(update={"announcement_banners": announcements}))
    shared(context).expire()
    return answer.model_copy(update={"support_links": known.support_links})
