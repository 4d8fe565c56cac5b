"""One line in the log for each act of somebody on the page: who, what, to which object, and how it ended."""

from __future__ import annotations

from typing import Final

import structlog

from coder_enterprise.page.access.identity import Identity

LONGEST: Final = 200
"""Characters of a name: what is written of it is enough to find the person, and fits."""

log = structlog.get_logger("coder_enterprise.page.audit")


def note(identity: Identity, act: str, outcome: str, /, *, address: str, target: str = "", cause: str = "") -> None:
    """`outcome` is done, refused or failed. Who reads rather than acts is not noted, and a token never is."""
    facts = {"user": identity.user, "uid": identity.uid, "object": target, "address": address, "cause": cause}
    said = {name: value[:LONGEST] for name, value in facts.items() if value}
    log.info("act on the page", act=act, outcome=outcome, **said)
