"""How often Coder is asked about people and templates, by the pages of both: so that it hardly notices.

Answers hold for some seconds, failures too, however many ask. What is asked of Coder, and what comes of it, is in
`page.answers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import CoderError
from coder_enterprise.controller.limits import TokenBucket
from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page.access.remembered import Remembered
from coder_enterprise.page.answers import Access, People, Templates, find_access, find_people, find_templates

AnswerT = TypeVar("AnswerT")

HOLDS: Final = 10.0
"""Seconds that an answer holds."""
ANSWERS: Final = 200
AT_A_TIME: Final = 2
"""Questions under way: Coder is there for others."""
PER_SECOND: Final = 2.0
AT_ONCE: Final = 20
"""Questions that are not waited for, and then how many there are in a second."""
PATIENCE: Final = 15.0
"""Seconds for a question, with the time that it waits for others."""


class _Question(NamedTuple):
    deployment: Key
    text: str


class Inquiries:
    """Close it."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._bucket = TokenBucket(PER_SECOND, AT_ONCE)
        self._people = Remembered(self._ask_people, lambda _: HOLDS, ANSWERS)
        self._templates = Remembered(self._ask_templates, lambda _: HOLDS, ANSWERS)
        self._access = Remembered(self._ask_access, lambda _: HOLDS, ANSWERS)

    async def people(self, deployment: Key, text: str) -> People:
        return await self._people.get(_Question(deployment, text))

    async def templates(self, deployment: Key) -> Templates:
        return await self._templates.get(deployment)

    async def access(self, deployment: Key, template_id: str) -> Access:
        return await self._access.get(_Question(deployment, template_id))

    async def close(self) -> None:
        for answers in (self._people, self._templates, self._access):
            await answers.close()

    async def _ask_people(self, question: _Question) -> People:
        return await self._ask(
            question.deployment,
            lambda directory: find_people(directory, question.text),
            lambda why: People(trouble=why),
        )

    async def _ask_templates(self, deployment: Key) -> Templates:
        return await self._ask(deployment, find_templates, lambda why: Templates(trouble=why))

    async def _ask_access(self, question: _Question) -> Access:
        return await self._ask(
            question.deployment,
            lambda directory: find_access(directory, question.text),
            lambda why: Access(trouble=why),
        )

    async def _ask(
        self, deployment: Key, find: Callable[[Directory], Awaitable[AnswerT]], failed: Callable[[str], AnswerT]
    ) -> AnswerT:
        directory = self._view.directory(deployment)
        if directory is None:
            return failed(_ELSEWHERE)
        try:
            async with asyncio.timeout(PATIENCE), self._turns:
                await self._bucket.acquire()
                return await find(directory)
        except CoderError as error:
            return failed(error.message)
        except TimeoutError:
            return failed("Coder did not answer in time, or too many people ask")


_ELSEWHERE: Final = "this replica does not work for that CoderDeployment, or has not connected to it yet"
