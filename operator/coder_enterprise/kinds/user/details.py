"""What Coder tells of one user at a time, where spec speaks of it: quiet hours and the quota."""

from __future__ import annotations

from dataclasses import replace

from coder_enterprise.client import errors, records
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import stalled, waiting
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.user.differences import schedule_change
from coder_enterprise.kinds.user.find import ObservedUser
from coder_enterprise.kinds.user.spec import MAX_SCHEDULE, UserSpec


async def with_details(context: Context, spec: UserSpec, observed: ObservedUser) -> ObservedUser:
    """What Coder tells of one user at a time, where spec speaks of it."""
    if observed.user is None:
        return observed
    user_id = observed.user.id
    if spec.show_quota:
        observed = replace(observed, quota=await _quota(context, user_id))
    if spec.quiet_hours is None:
        return observed
    try:
        hours = await context.client.quiet_hours.get(user_id)
    except (errors.Forbidden, errors.NotFound) as error:
        trouble = waiting(
            Reason.NOT_ENTITLED,
            f"spec.quietHours: quiet hours are not licensed, or switched off, on this deployment ({error.message})",
        )
        return replace(observed, trouble=trouble)
    observed = replace(observed, quiet_hours=hours)
    if hours.user_can_set or schedule_change(spec.quiet_hours, hours) is None:
        return observed
    trouble = stalled(
        Reason.FORBIDDEN,
        "spec.quietHours: users of this deployment have no quiet hours of their own; let the server have "
        "CODER_ALLOW_CUSTOM_QUIET_HOURS, or leave quietHours out",
    )
    return replace(observed, trouble=trouble)


async def _quota(context: Context, user_id: str) -> records.Quota | None:
    try:
        return await context.client.quotas.get(user_id)
    except (errors.Forbidden, errors.NotFound):
        return None


def shown_hours(hours: records.QuietHours) -> dict[str, str]:
    shown = {"schedule": hours.raw_schedule[:MAX_SCHEDULE], "timezone": hours.timezone[:64]}
    return {name: text for name, text in shown.items() if text}
