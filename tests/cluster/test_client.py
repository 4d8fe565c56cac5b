"""The Kubernetes client against a small HTTP server of the test: answers that are not what they should be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from aiohttp import web
from kubernetes.aio.client import Configuration

from coder_enterprise.client.sending import looking
from coder_enterprise.cluster import client as requests
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, Gone, KubernetesError
from coder_enterprise.cluster.paths import custom
from tests.support.faults import fault

THINGS = custom("things")
ONE = {"metadata": {"name": "one"}}


class Lost(Exception): ...


class Answers:
    """What the server says next; the last one for ever. Remembers what it was asked."""

    def __init__(self) -> None:
        self.queue: list[Callable[[], web.Response]] = []
        self.asked: list[str] = []

    def say(self, status: int = 200, body: object = None, text: str = "", **headers: str) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if text:
            self.queue.append(lambda: web.Response(status=status, text=text, headers=names))
        else:
            self.queue.append(
                lambda: web.json_response(body if body is not None else ONE, status=status, headers=names)
            )

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        return (self.queue.pop(0) if len(self.queue) > 1 else self.queue[0])()


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest_asyncio.fixture
async def client(answers: Answers) -> AsyncIterator[KubernetesClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answers.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = Configuration()
    settings.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings.retries = None
    async with KubernetesClient(settings) as connected:
        yield connected
    await runner.cleanup()


@pytest.mark.parametrize("text", ["<html>Please log in</html>", '{"half": ', "[1, 2]"])
async def test_an_answer_that_is_no_object_is_an_error_of_kubernetes(
    client: KubernetesClient, answers: Answers, text: str
) -> None:
    answers.say(text=text)
    with pytest.raises(KubernetesError, match="something else than an object"):
        await client.get(THINGS, "team", "one")


@pytest.mark.parametrize(("status", "error"), [(404, Gone), (409, Conflicted), (500, KubernetesError)])
async def test_a_refusal_is_told_by_its_status_and_its_own_words(
    client: KubernetesClient, answers: Answers, status: int, error: type[KubernetesError]
) -> None:
    answers.say(status, {"reason": "Because", "message": "it is so"})
    with pytest.raises(error, match="it is so") as caught:
        await client.get(THINGS, "team", "one")
    assert (caught.value.status, caught.value.reason) == (status, "Because")


@pytest.mark.parametrize("wanted", ["0", "Thu, 01 Jan 1970 00:00:00 GMT"])
async def test_a_busy_server_is_asked_again_and_told_of_when_it_stays_busy(
    client: KubernetesClient, answers: Answers, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setattr(requests, "MIN_RETRY_AFTER", 0.001)
    answers.say(429, Retry_After=wanted)
    answers.say(503, Retry_After=wanted)
    answers.say()
    assert await client.get(THINGS, "team", "one") == ONE
    answers.queue.clear()
    answers.say(429, {"reason": "TooManyRequests", "message": "busy"}, Retry_After=wanted)
    with pytest.raises(KubernetesError, match="busy"):
        await client.get(THINGS, "team", "one")
    assert len(answers.asked) == 3 + 1 + requests.RETRIES


def test_a_busy_server_is_left_alone_ever_longer_within_bounds() -> None:
    delays = [requests._delay(0.0, attempt) for attempt in range(5)]
    assert all(step <= delay <= step * 1.5 for step, delay in zip((0.5, 1, 2, 4, 8), delays, strict=True))
    assert 3 <= requests._delay(3.0, 0) <= 4.5
    assert requests._delay(3600.0, 0) <= requests.MAX_RETRY_AFTER * 1.5
    assert len({requests._delay(0.0, 0) for _ in range(10)}) == 10


async def test_all_pages_are_read(client: KubernetesClient, answers: Answers) -> None:
    answers.say(body={"items": [ONE], "metadata": {"continue": "next"}})
    answers.say(body={"items": [ONE], "metadata": {}})
    assert [page async for page in client.pages(THINGS, "team")] == [[ONE], [ONE]]
    assert [asked.partition("?")[2] for asked in answers.asked] == ["limit=500", "limit=500&continue=next"]


async def test_a_kind_without_objects_has_no_list_of_them_in_metadata_alone(
    client: KubernetesClient, answers: Answers
) -> None:
    answers.say(body={"kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "1"}, "items": None})
    assert [page async for page in client.pages(THINGS, metadata_only=True)] == [[]]


@pytest.mark.parametrize("body", [{}, {"items": {}, "metadata": {}}, {"items": ["one"], "metadata": {}}, {"items": []}])
async def test_a_list_that_is_none_is_an_error_of_kubernetes(
    client: KubernetesClient, answers: Answers, body: object
) -> None:
    answers.say(body=body)
    with pytest.raises(KubernetesError, match="something else than a list"):
        [page async for page in client.pages(THINGS)]


async def test_a_secret_is_decoded_and_a_missing_one_is_none(client: KubernetesClient, answers: Answers) -> None:
    answers.say(body={"data": {"token": "Z29vZA==", "broken": "%%%"}})
    answers.say(404, {})
    secret = await client.secret("team", "token")
    assert secret is not None
    assert secret.values == {"token": "good", "broken": ""}
    assert await client.secret("team", "token") is None


async def test_nobody_listening_is_an_error_that_says_so() -> None:
    settings = Configuration()
    settings.host = "http://127.0.0.1:1"
    settings.retries = None
    async with KubernetesClient(settings) as connected:
        with pytest.raises(KubernetesError, match="does not answer") as caught:
            await connected.get(THINGS, "team", "one")
    assert caught.value.status == 0


@fault(
    name="right to write lost while a request waits",
    injected="In process: a busy API server asks for a write to be repeated, and meanwhile the Lease is lost.",
    verdict="The write is not repeated.",
)
async def test_a_write_is_not_repeated_when_it_may_not_be_made_any_more(
    client: KubernetesClient, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MIN_RETRY_AFTER", 0.0)
    answers.say(429, Retry_After="0")

    def look() -> None:
        if answers.asked:
            raise Lost

    with pytest.raises(Lost), looking(look):
        await client.patch(THINGS, "team", "one", {})
    assert answers.asked == ["PATCH /apis/enterprise.coder.com/v1alpha1/namespaces/team/things/one"]
    answers.say()
    await client.get(THINGS, "team", "one")


async def test_a_write_may_be_stopped_when_it_has_its_connection_and_is_not_written_yet(
    client: KubernetesClient, answers: Answers
) -> None:
    answers.say()
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise Lost

    with pytest.raises(Lost), looking(look):
        await client.patch(THINGS, "team", "one", {})
    assert answers.asked == []
    await client.get(THINGS, "team", "one")
