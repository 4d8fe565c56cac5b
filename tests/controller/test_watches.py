"""Watches against everything that an API server, a proxy or a gateway may answer, by real HTTP: after the fault an
edit is seen again, meanwhile the replica says that it is blind, and it ends at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

import pytest
import pytest_asyncio
from kubernetes.aio.client import Configuration
from structlog.testing import capture_logs

from coder_enterprise.cluster import client as requests
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.paths import SECRETS, custom
from coder_enterprise.controller import kopf_source, metrics, watch_session
from coder_enterprise.controller.kopf_source import KopfSource, memories
from coder_enterprise.controller.watch import Watch, WatchTimes
from coder_enterprise.controller.watches import SourceStuck, Watches
from tests.support import api_server
from tests.support.api_server import APIServer, Fault, lines, status, text
from tests.support.faults import fault
from tests.support.waiting import wait_for

GROUPS: Final = "codergroups"
USERS: Final = "coderusers"
TIMES: Final = WatchTimes(
    inactivity=0.3,
    pace=0.02,
    silence=0.6,
    blind=1.0,
    stuck=2.0,
    retry_min=0.02,
    retry_max=0.1,
    retry_after_max=0.1,
    exit=1.0,
)
"""In place of minutes."""
AT_ONCE: Final = 1.0
LONG: Final = "86400"
IN_A_DAY: Final = format_datetime(datetime.now(UTC) + timedelta(days=1))


class Process:
    """As much of the operator as watches. `seen` has the plural, the name and the spec of what was told."""

    def __init__(self, api: APIServer, client: KubernetesClient) -> None:
        self.api = api
        self.known: set[tuple[str, str]] = set()
        """Name and version of objects of which nobody needs to be told."""
        self.seen: list[tuple[str, str, Any]] = []
        watches = [Watch(custom(GROUPS), None), Watch(custom(USERS), None), Watch(SECRETS, None, "watch=true")]
        self.watches = Watches(
            watches,
            lambda watch: KopfSource(watch, client, self._on_event, "test", lambda: None, TIMES, self._is_known),
            lambda watch, _: client.look(watch.collection, watch.namespace, watch.selector),
            TIMES,
        )
        self._edits = 0
        self._tasks = self.watches.start()

    def _on_event(self, plural: str, _: str | None, body: Any) -> None:
        self.seen.append((plural, body["metadata"]["name"], body.get("spec")))

    def _is_known(self, _: str, body: Any) -> bool:
        return (body["metadata"]["name"], body["metadata"]["resourceVersion"]) in self.known

    async def sees(self, plural: str = GROUPS) -> None:
        """An edit that is made now is told of."""
        self._edits += 1
        self.api.put(plural, "one", edit=self._edits)
        await self.until(lambda: (plural, "one", {"edit": self._edits}) in self.seen, f"edit {self._edits} is seen")

    async def until(self, probe: Callable[[], object], what: str) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
        await wait_for(probe, f"{what}; {self.watches.blind}, {self.api.requests[-6:]}", timeout=10)

    async def is_blind(self, word: str = "") -> None:
        await self.until(lambda: any(GROUPS in said and word in said for said in self.watches.blind), "it is blind")

    async def is_well(self) -> None:
        await self.until(lambda: not self.watches.blind, "nothing is blind")

    async def stop(self) -> float:
        """How long it took."""
        started = time.monotonic()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return time.monotonic() - started


@pytest_asyncio.fixture
async def api() -> AsyncIterator[APIServer]:
    async with APIServer([GROUPS, USERS, "secrets"]) as server:
        yield server


@pytest_asyncio.fixture
async def process(api: APIServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Process]:
    monkeypatch.setattr(kopf_source, "BACKOFFS", (0.05,))
    monkeypatch.setattr(kopf_source, "REQUEST_TIMEOUT", 0.3)
    monkeypatch.setattr(watch_session, "MAX_LINE", 4096)
    monkeypatch.setattr(requests, "TIMEOUT", 0.3)
    monkeypatch.setattr(requests, "MIN_RETRY_AFTER", 0.01)
    monkeypatch.setattr(requests, "MAX_RETRY_AFTER", 0.05)
    settings = Configuration()
    settings.host = api.url
    settings.retries = None
    async with KubernetesClient(settings) as client:
        running = Process(api, client)
        await running.is_well()
        yield running
        await running.stop()


STATUSES: Final[dict[str, Fault]] = {
    **{f"{code}": status(code) for code in (400, 401, 403, 404, 410, 500, 502, 503, 504)},
    "404 of a router": text("404 page not found\n", 404, "text/plain"),
    "502 of a gateway": text("<html>Bad Gateway</html>", 502),
    "429": status(429, Retry_After="1"),
    "429 with a date": status(429, Retry_After=IN_A_DAY),
    "429 for a day": status(429, Retry_After=LONG),
    "429 with nonsense": status(429, Retry_After="soon"),
    "503 for a day": status(503, Retry_After=LONG),
    "302 to a login page": status(302, Location="/login"),
    "204": status(204),
    "HTML": text("<html>Please log in</html>"),
    "a reset": api_server.reset,
    "half of an error": lines(b'{"kind":"Status","code":4'),
}
STREAMS: Final[dict[str, Fault]] = {
    "HTML as JSON": text("<html>Please log in</html>", 200, "application/json"),
    "a list": lines(b'{"kind":"List","items":[],"metadata":{"resourceVersion":"1"}}'),
    "an array": lines(b"[]\n"),
    "an event without an object": lines(b'{"type":"ADDED"}\n'),
    "an object without metadata": lines(b'{"type":"ADDED","object":{}}\n'),
    "half a line": lines(b'{"type":"MODIFIED","object":{"metad'),
    "half a line and a reset": lines(b'{"type":"MODIFIED","object":{"metad', cut=True),
    "no UTF-8": lines(b'{"type":"\xff\xfe"}\n'),
    "410 as an event": lines(b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'),
    "500 as an event": lines(b'{"type":"ERROR","object":{"kind":"Status","code":500}}\n'),
    "an error without a code": lines(b'{"type":"ERROR","object":{"kind":"Status"}}\n'),
    "an end at once": lines(),
    "a reset at once": lines(cut=True),
    "blank lines": lines(b"\n", b"\n"),
    "a line without an end": api_server.endless,
}
SILENCES: Final[dict[str, Fault]] = {"no answer": api_server.silence, "a silent stream": api_server.silent_stream}
UNSEEN: Final = {
    "410",
    "410 as an event",
    "an end at once",
    "a reset at once",
    "half a line and a reset",
    "blank lines",
    "a silent stream",
}
"""Over before anybody could look, or no fault at all."""
TO_A_LIST: Final = (
    "401", "403", "404", "410", "429 with a date", "429 for a day", "503", "HTML", "a reset", "HTML as JSON",
    "an array", "half a line", "no answer",
)  # fmt: skip


@fault(
    name="bad answers to a watch",
    injected=(
        "Resets, silence, 410, 429, 5xx, HTML, half a line, one without an end and others in place of a watch, by a "
        "server in the test's process."
    ),
    verdict="Edits are seen again after each.",
)
@pytest.mark.parametrize("answer", [*STATUSES, *STREAMS, *SILENCES])
async def test_after_any_answer_to_a_watch_edits_are_seen_again(process: Process, answer: str) -> None:
    process.api.fail("watch", GROUPS, (STATUSES | STREAMS | SILENCES)[answer])
    asked = process.api.requests.count(("watch", GROUPS))
    process.api.end_watches()
    await process.until(lambda: process.api.requests.count(("watch", GROUPS)) > asked, "it is asked for anew")
    if answer not in UNSEEN:
        await process.is_blind()
    await process.sees(USERS)
    assert process.watches.moves
    process.api.heal()
    await process.sees()
    await process.is_well()
    assert await process.stop() < AT_ONCE


@fault(
    name="bad answers to a list",
    injected="The same in place of a list.",
    verdict="Edits are seen again after each.",
)
@pytest.mark.parametrize("answer", TO_A_LIST)
async def test_after_any_answer_to_a_list_edits_are_seen_again(process: Process, answer: str) -> None:
    process.api.fail("list", GROUPS, (STATUSES | STREAMS | SILENCES)[answer])
    process.api.fail("watch", GROUPS, status(410))
    process.api.end_watches()
    await process.is_blind()
    await process.sees(USERS)
    process.api.heal()
    await process.sees()
    await process.is_well()


@pytest.mark.parametrize("answer", ["403", "429 for a day", "503 for a day", "no answer", "a silent stream"])
async def test_it_ends_at_once_while_a_fault_lasts(process: Process, answer: str) -> None:
    process.api.fail("watch", GROUPS, (STATUSES | SILENCES)[answer])
    asked = process.api.requests.count(("watch", GROUPS))
    process.api.end_watches()
    await process.until(lambda: process.api.requests.count(("watch", GROUPS)) > asked, "it is asked for anew")
    assert await process.stop() < AT_ONCE


async def test_an_api_server_that_is_gone_for_a_while_is_watched_again_without_new_lists(process: Process) -> None:
    lists = process.api.requests.count(("list", GROUPS))
    await process.api.refuse_connections()
    await process.is_blind("Cannot connect")
    await process.api.listen()
    await process.is_well()
    await process.sees()
    assert process.api.requests.count(("list", GROUPS)) <= lists + 2, "a look, and a list when it was silent for long"


async def test_a_missing_kind_is_named_and_watched_when_it_comes(process: Process) -> None:
    process.api.plurals.remove(GROUPS)
    process.api.end_watches()
    await process.is_blind("codergroups.enterprise.coder.com (404")
    await process.sees(USERS)
    process.api.plurals.append(GROUPS)
    await process.sees()
    await process.is_well()


async def test_a_missing_right_is_named_and_what_to_allow(process: Process) -> None:
    process.api.fail("watch", GROUPS, status(403))
    process.api.end_watches()
    await process.is_blind("let the operator's service account get, list and watch codergroups.enterprise.coder.com")


async def test_where_only_the_watch_is_refused_the_lists_tell_of_edits(process: Process) -> None:
    process.api.fail("watch", GROUPS, status(403))
    process.api.end_watches()
    await process.is_blind()
    await process.sees()


async def test_bookmarks_are_signs_of_life(process: Process) -> None:
    replaced = process.api.requests.count(("list", GROUPS))
    for _ in range(10):
        await asyncio.sleep(TIMES.inactivity / 3)
        process.api.bookmark(GROUPS)
    assert process.api.requests.count(("list", GROUPS)) == replaced
    assert process.api.requests.count(("list", USERS)) > replaced, "without bookmarks it is listed anew"


async def test_what_takes_for_ever_to_list_is_given_up_and_tried_again(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "TIMEOUT", 60.0)
    process.api.fail("list", GROUPS, api_server.silence)
    process.api.fail("watch", GROUPS, status(410))
    process.api.end_watches()
    await process.is_blind("it could not be listed within")
    process.api.heal()
    await process.sees()


@fault(
    name="a list that takes longer than a watch may be silent",
    injected="Between operator and API server, each page of a list takes a third of the time after which a watch "
    "without a sign of life is replaced, and there are ten pages.",
    verdict="The list is read to its end, once: each page is a sign of life.",
)
async def test_a_list_whose_pages_come_slowly_is_read_to_its_end(process: Process) -> None:
    for number in range(10):
        process.api.put_unseen(GROUPS, f"late-{number}", edit=1)
    process.api.page_size, process.api.page_seconds = 1, TIMES.silence / 3
    process.watches.missed(GROUPS)
    await process.until(lambda: (GROUPS, "late-9", {"edit": 1}) in process.seen, "the last page is read")
    assert process.seen.count((GROUPS, "late-0", {"edit": 1})) == 1, "the first page is read once"


@fault(
    name="watch goes blind",
    injected="An object changes, and the watch that stays open does not tell.",
    verdict="It is found within minutes, and the watch is replaced.",
)
async def test_a_change_that_the_watch_did_not_tell_is_found_by_a_new_list(process: Process) -> None:
    replaced = metrics.watch_replacements.labels(GROUPS, "missed")
    before = replaced._value.get()
    process.api.put_unseen(GROUPS, "late", edit=1)
    process.watches.missed(GROUPS)
    await process.until(lambda: (GROUPS, "late", {"edit": 1}) in process.seen, "it is found")
    assert replaced._value.get() > before, "not because it was silent"


async def test_neither_a_list_nor_a_watch_tells_of_what_is_known_in_that_version(process: Process) -> None:
    await process.sees()
    known = process.api.put(GROUPS, "known", edit=0)
    process.known.add(("known", known["metadata"]["resourceVersion"]))
    await process.sees()
    assert (GROUPS, "known", {"edit": 0}) not in process.seen, "the watch, which told of what came later"
    process.seen.clear()
    process.watches.missed(GROUPS)
    await process.until(lambda: (GROUPS, "one", {"edit": 2}) in process.seen, "the new list tells of the other one")
    await process.sees()
    assert (GROUPS, "known", {"edit": 0}) not in process.seen


async def test_a_watch_of_nothing_but_what_is_known_goes_on_where_it_was(process: Process) -> None:
    await process.sees()
    known = process.api.put(GROUPS, "known", edit=0)
    process.known.add(("known", known["metadata"]["resourceVersion"]))
    asked = process.api.requests.count(("watch", GROUPS))
    process.api.end_watches()
    await process.until(lambda: process.api.requests.count(("watch", GROUPS)) > asked, "it is asked for anew")
    assert process.api.since[GROUPS] == known["metadata"]["resourceVersion"]


async def test_a_cause_is_told_in_one_way_only_or_its_log_would_flap(process: Process) -> None:
    with capture_logs() as told:
        process.api.fail("watch", GROUPS, status(503))
        process.api.end_watches()
        asked = process.api.requests.count(("watch", GROUPS))
        await process.until(lambda: process.api.requests.count(("watch", GROUPS)) > asked + 3, "it was asked for often")
    causes = [entry["cause"] for entry in told if entry["event"] == "not watched" and GROUPS in entry["watch"]]
    assert {cause for cause in causes if "503" in cause} == {"the API server says 503 refused: 503"}, "in one way only"


class Stubborn:
    """A task that swallows its cancellation, as one of Kopf may: for good, or once."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.released = asyncio.Event()

    async def run(self, times: float) -> None:
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if self.cancelled >= times:
                    raise


@pytest.mark.parametrize(("times", "ends"), [(2, True), (float("inf"), False)])
async def test_a_source_that_does_not_end_is_cancelled_again_and_reported_within_seconds(
    api: APIServer, monkeypatch: pytest.MonkeyPatch, times: float, ends: bool
) -> None:
    stubborn = Stubborn()
    tasks: list[asyncio.Task[None]] = []

    async def spawn(**_: object) -> list[asyncio.Task[None]]:
        tasks.append(asyncio.create_task(stubborn.run(times)))
        return tasks

    monkeypatch.setattr("kopf.spawn_tasks", spawn)
    settings = Configuration()
    settings.host = api.url
    async with KubernetesClient(settings) as client:
        short = replace(TIMES, exit=0.2)
        source = KopfSource(Watch(custom(GROUPS), None), client, lambda *_: None, "test", lambda: None, short)
        running = asyncio.create_task(source.run())
        await wait_for(lambda: tasks, "it has begun")
        running.cancel()
        with pytest.raises(asyncio.CancelledError if ends else SourceStuck):
            await running
    assert stubborn.cancelled == 2
    stubborn.released.set()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_first_look_that_gets_on_is_not_given_up(api: APIServer) -> None:
    looked = asyncio.Event()

    class Endless:
        async def run(self) -> None:
            looked.set()
            await asyncio.Event().wait()

    async def look(_: Watch, heard: Callable[[], None]) -> None:
        for _page in range(5):
            await asyncio.sleep(TIMES.silence / 2)
            heard()

    watches = Watches([Watch(custom(GROUPS), None)], lambda _: Endless(), look, TIMES)
    (task,) = watches.start()
    await wait_for(looked.is_set, "it was listed and is watched", TIMES.silence * 5)
    assert not any("could not be listed" in said for said in watches.blind)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_source_that_is_stuck_ends_the_watches(api: APIServer) -> None:
    class Stuck:
        async def run(self) -> None:
            raise SourceStuck("the watch does not end")

    async def look(*_: object) -> None:
        return

    (task,) = Watches([Watch(custom(GROUPS), None)], lambda _: Stuck(), look, TIMES).start()
    with pytest.raises(SourceStuck):
        await task


async def test_only_labelled_secrets_are_asked_for(process: Process) -> None:
    assert {query for plural, query in process.api.selectors if plural == "secrets"} == {"watch=true"}
    assert {query for plural, query in process.api.selectors if plural == GROUPS} == {""}


async def test_the_metrics_show_the_age_of_a_watch_and_that_it_is_blind(process: Process) -> None:
    process.api.fail("watch", GROUPS, status(403))
    process.api.end_watches()
    await process.is_blind()
    process.watches.measure()
    assert metrics.watch_blind.labels(GROUPS)._value.get() == 1
    assert metrics.watch_blind.labels(USERS)._value.get() == 0
    assert metrics.watch_age_seconds.labels(USERS)._value.get() < TIMES.blind
    assert metrics.watch_replacements.labels(GROUPS, "refused")._value.get() > 0


async def test_kopf_remembers_nothing_of_an_object_whose_event_is_handled() -> None:
    kept = memories()
    body: Any = {"metadata": {"uid": "u1"}}
    await kept.recall(body, noticed_by_listing=True)
    assert list(kept.iter_all_memories()) == []
    await kept.forget(body)
