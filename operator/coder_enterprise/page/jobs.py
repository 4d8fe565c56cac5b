"""What the provisioners of each Coder have to do, for the cards of the overview: asked only while somebody looks.

A card never waits for it: it shows what was known last, and a new answer is told to who looks like any other change.
While nobody does, nothing is asked; `EVERY` is what it costs while somebody does, a request for each organization.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from coder_enterprise.client import records
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import MAX_JOBS
from coder_enterprise.client.concurrency import end
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import CoderError, Forbidden, NotFound
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.oncall.standing import moment

EVERY: Final = 30.0
"""Seconds from an answer to the next question."""
PATIENCE: Final = 10.0
MAX_ORGANIZATIONS: Final = 8
PENDING: Final = "pending"
NOT_TOLD: Final = (
    "Coder does not list its jobs for the operator: that takes the token of an owner, and Coder 2.19 or newer"
)


@dataclass(frozen=True)
class Work:
    running: int = 0
    waiting: int = 0
    stuck: int = 0
    """Of those that wait, how many no provisioner may take that is connected."""
    since: datetime | None = None
    """When the oldest of those that wait came."""
    whole: bool = True
    """There are no more than these."""
    trouble: str = ""
    """Why it is not known."""
    asked: bool = True
    """Coder has answered, or not."""


ASKING: Final = Work(asked=False)


class Jobs:
    """Close it."""

    def __init__(self, view: View, looked_at: Callable[[Key], bool]) -> None:
        """`looked_at` says whether somebody would see what is new of that CoderDeployment."""
        self._view = view
        self._looked_at = looked_at
        self._known: dict[Key, Work] = {}
        self._asking: dict[Key, asyncio.Task[None]] = {}
        self._asked_at: dict[Key, float] = {}

    def of(self, deployment: Key) -> Work | None:
        """None where another replica knows it, and of a Coder that is not usable, whose card says why."""
        if self._answering(deployment) is None:
            return None
        if deployment not in self._asking and now() - self._asked_at.get(deployment, float("-inf")) >= EVERY:
            task = self._asking[deployment] = asyncio.create_task(self._follow(deployment))
            task.add_done_callback(lambda _: self._asking.pop(deployment, None))
        return self._known.get(deployment, ASKING)

    async def close(self) -> None:
        await end(self._asking.values())

    async def _follow(self, deployment: Key) -> None:
        """While somebody looks."""
        while (directory := self._answering(deployment)) is not None:
            self._asked_at[deployment] = now()
            work = await ask(directory)
            if work != self._known.get(deployment):
                self._known[deployment] = work
                self._view.tell(deployment)
            await asyncio.sleep(EVERY)
            if not self._looked_at(deployment):
                return
        self._known.pop(deployment, None)

    def _answering(self, deployment: Key) -> Directory | None:
        probe = self._view.probe(deployment)
        return self._view.directory(deployment) if probe is None or probe.usable else None


async def ask(directory: Directory) -> Work:
    try:
        async with asyncio.timeout(PATIENCE):
            organizations = await directory.organizations()
            some = organizations[:MAX_ORGANIZATIONS]
            lists = [await directory.unfinished_jobs(each.id).get(now()) for each in some]
    except (NotFound, Forbidden):
        return Work(trouble=NOT_TOLD)
    except CoderError as error:
        return Work(trouble=error.message)
    except TimeoutError:
        return Work(trouble="Coder did not say in time what its provisioners have to do")
    return summed(lists, whole=len(some) == len(organizations))


def summed(lists: Sequence[Sequence[records.ProvisionerJob]], *, whole: bool) -> Work:
    """Of all organizations that were asked."""
    jobs = [job for each in lists for job in each]
    waiting = [job for job in jobs if job.status == PENDING]
    return Work(
        running=len(jobs) - len(waiting),
        waiting=len(waiting),
        stuck=sum(1 for job in waiting if job.available_workers == ()),
        since=min(filter(None, (moment(job.created_at) for job in waiting)), default=None),
        whole=whole and all(len(each) < MAX_JOBS for each in lists),
    )
