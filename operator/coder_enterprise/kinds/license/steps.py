"""The writes of licences: the upload of a new one, and the removal of old ones."""

from __future__ import annotations

from coder_enterprise.client import errors, records
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.license.find import Declared, shared
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError, stalled
from coder_enterprise.kinds.machinery.lookups import or_none
from coder_enterprise.kinds.machinery.reasons import Reason


async def upload(context: Context, declared: Declared) -> records.License:
    try:
        added = await context.client.licenses.add(declared.token)
    except errors.AlreadyTaken as error:
        # Not there a moment ago: an upload of ours whose answer was lost arrived late, or somebody was faster.
        raise KindError(Reason.REQUEST_FAILED, f"{error.message}; looking again", meaning=Meaning.TRANSIENT) from None
    shared(context).change(lambda listed: listed.update({str(added.id): added}))
    return added


async def require_counted(context: Context, new: records.License) -> None:
    """Before the old one goes."""
    entitlements = await context.client.server.entitlements()
    complaint = next((text for text in entitlements.errors if new.uuid and new.uuid in text), "")
    if complaint or not entitlements.has_license:
        raise stalled(
            Reason.INVALID_LICENSE,
            f"Coder does not count the new licence ({complaint or 'it says that there is none'}); "
            "the old one stays until it does",
        )


async def remove(context: Context, license_id: str) -> None:
    """What is gone counts as removed: Coder answers 404 only to those who may remove it."""
    await or_none(context.client.licenses.delete(license_id))
    shared(context).change(lambda listed: _drop(listed, license_id))


def _drop(listed: dict[str, records.License], license_id: str) -> None:
    listed.pop(license_id, None)
