"""Whose drift it was: asked of Coder's own audit log, once for many, after the visit that put it right.

Asked by `controller.notes`; what it finds goes into the journal. It asks only where the audit log is licensed, and not
for an hour where the token may not read it: for each deployment one request at a time, whatever drifts, and never more
often than every few seconds. At rest it does nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import structlog

from coder_enterprise.client import errors
from coder_enterprise.client.audit import AuditLog
from coder_enterprise.client.clock import now
from coder_enterprise.client.http import PROGRAM
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.journal import Journal
from coder_enterprise.kinds.machinery.resource import Key

FEATURE: Final = "audit_log"
COLLECT: Final = 1.0
"""Seconds in which those that come together are collected."""
PAUSE: Final = 5.0
"""Seconds between two requests to one deployment."""
REFUSED_FOR: Final = 3600.0
MAX_QUESTIONS: Final = 1000
"""Of one deployment at a time: whose drift the others are stays unknown."""
FEW: Final = 25
MANY: Final = 1000
"""Entries of the audit log that one request reads: about one resource, and about all."""
ONE_CORRECTION: Final = timedelta(seconds=60)
"""What we wrote to a resource within that time is the same correction."""

_WRITES: Final = frozenset({"create", "write", "delete"})
_REFUSALS: Final = (errors.Forbidden, errors.NotFound, errors.BadRequest, errors.UnexpectedShape)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """One entry of the journal that is drift."""

    entry: int
    ids: tuple[str, ...]
    """What may have been changed, as Coder calls it: the thing itself first."""


class Culprits:
    def __init__(self, connections: Connections, journal: Journal) -> None:
        self._connections = connections
        self._journal = journal
        self._questions: defaultdict[Key, list[Question]] = defaultdict(list)
        self._refused_until: dict[Key, float] = {}
        self._asked = asyncio.Event()

    def ask(self, deployment: Key, question: Question) -> None:
        questions = self._questions[deployment]
        if question.ids and len(questions) < MAX_QUESTIONS:
            questions.append(question)
            self._asked.set()

    async def run(self) -> None:
        """Answer what is asked, until cancelled."""
        while True:
            await self._asked.wait()
            await asyncio.sleep(COLLECT)
            self._asked.clear()
            asked, self._questions = self._questions, defaultdict(list)
            await asyncio.gather(*(self._try(deployment, questions) for deployment, questions in asked.items()))
            await asyncio.sleep(PAUSE)

    async def _try(self, deployment: Key, questions: Sequence[Question]) -> None:
        """No fault of it may end the operator: who it was is not needed to go on."""
        try:
            await self._answer(deployment, questions)
        except Exception:
            log.exception("a fault of the operator", deployment=str(deployment))

    async def _answer(self, deployment: Key, questions: Sequence[Question]) -> None:
        connection = self._connections.get(deployment)
        probe = connection.probe if connection else None
        if connection is None or connection.client is None or probe is None or not (probe.features or {}).get(FEATURE):
            return
        if now() < self._refused_until.get(deployment, float("-inf")):
            return
        one = len(questions) == 1
        query = f"resource_id:{questions[0].ids[0]}" if one else ""
        try:
            logs = await connection.client.audit.search(query, FEW if one else MANY)
        except _REFUSALS as error:
            self._refused_until[deployment] = now() + REFUSED_FOR
            log.info("whose drift it was stays unknown", deployment=str(deployment), error=error.message)
            return
        except errors.CoderError as error:
            log.info("the audit log was not read", deployment=str(deployment), error=error.message)
            return
        me = str((probe.fields.get("identity") or {}).get("username") or "")
        by_id = _by_id(logs)
        for question in questions:
            found = (culprit(by_id.get(item, ()), me) for item in question.ids)
            self._journal.attribute(question.entry, next(filter(None, found), ""))


def _by_id(logs: Iterable[AuditLog]) -> dict[str, list[AuditLog]]:
    found: defaultdict[str, list[AuditLog]] = defaultdict(list)
    for entry in logs:
        if entry.action in _WRITES and entry.status_code < HTTPStatus.BAD_REQUEST:
            for item in entry.ids:
                found[item].append(entry)
    return found


def culprit(logs: Iterable[AuditLog], me: str) -> str:
    """Who wrote last before our correction, of one resource, the newest first; "" when nobody else did since the
    correction before. `me` is whose token we have: a person may share the account, but not the program."""
    corrected = None
    for entry in logs:
        who = entry.user.username if entry.user else ""
        if who == me and (not entry.user_agent or entry.user_agent.startswith(f"{PROGRAM}/")):
            corrected = corrected or entry.time
            if corrected - entry.time > ONE_CORRECTION:
                return ""
            continue
        return who or "Coder itself"
    return ""
