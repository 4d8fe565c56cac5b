"""A user's quiet hours, as the API shows them, and the request that sets them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class QuietHours(WireModel):
    raw_schedule: str
    user_set: bool
    """False for the deployment's default."""
    time: str
    """HH:MM in `timezone`."""
    timezone: str
    next: datetime
    """In `timezone`."""


class SDKQuietHours(QuietHours):
    user_can_set: bool


class UpdateQuietHoursRequest(WireModel):
    schedule: str
    """`CRON_TZ=Europe/Berlin 30 2 * * *`; blank is the deployment's default."""


QUIET_HOURS: Final[Shape[SDKQuietHours]] = Shape(
    View(list[QuietHours], convert=lambda hours: [hours]), View(SDKQuietHours)
)
