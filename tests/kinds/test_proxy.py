"""CoderWorkspaceProxy: the token in the Secret is Coder's present one whatever fails, and health is what Coder says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import Call, CallHooks
from coder_enterprise.kinds import workload as workload_module
from coder_enterprise.kinds.base import Change, Context, DomainCondition, KindError, Verdict
from coder_enterprise.kinds.proxy import (
    AT_ONCE,
    MAX_MESSAGE,
    MAX_MESSAGES,
    REVISIT,
    REVISIT_NOT_READY,
    ObservedProxy,
    ProxyIndex,
    ProxyKind,
    ProxySpec,
    fingerprint,
)
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import ROTATE_TOKEN_AT, Resource
from tests.support.beside import Beside
from tests.support.manifests import workload
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Asked, Scripted
from tests.support.structural import problems

KIND: Final = ProxyKind()
SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
PROXY_ID: Final = "91000000-0000-4000-8000-000000000000"
URL: Final = "https://eu.example.com"
TOKEN: Final = f"{PROXY_ID}:secret"
NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Body = dict[str, Any]


def spec(**fields: Any) -> ProxySpec:
    return ProxySpec.model_validate(fields)


def proxy(status: str = "ok", url: str = URL, **fields: Any) -> records.WorkspaceProxy:
    known = {"id": PROXY_ID, "name": "eu", "display_name": "EU", "icon_url": "/eu.png", "path_app_url": url}
    report = {"errors": fields.pop("errors", None), "warnings": fields.pop("warnings", None)}
    return records.WorkspaceProxy.model_validate(known | {"status": {"status": status, "report": report}} | fields)


def resource(status: Mapping[str, Any] | None = None, **annotations: str) -> Resource:
    metadata = {
        "namespace": "team",
        "name": "eu",
        "uid": "u1",
        "resourceVersion": "1",
        "annotations": {f"enterprise.coder.com/{name.replace('_', '-')}": text for name, text in annotations.items()},
    }
    return Resource.from_body("CoderWorkspaceProxy", {"metadata": metadata, "status": status or {}})


RECORDED: Final = {
    "id": PROXY_ID,
    "tokenFingerprint": fingerprint(TOKEN),
    "tokenRotatedAt": "2026-03-01T00:00:00Z",
}
SECRET: Final = {"CODER_PROXY_SESSION_TOKEN": TOKEN, "CODER_PRIMARY_ACCESS_URL": "https://coder.example.com"}


def observed(found: records.WorkspaceProxy | None = None, item: Resource | None = None, **fields: Any) -> ObservedProxy:
    """An applied proxy at rest, but for these fields."""
    found = found or proxy()
    at_rest = ObservedProxy(
        external_id=found.id,
        fresh=True,
        resource=item or resource(RECORDED),
        name="eu",
        proxy=found,
        namesake=found,
        primary_url="https://coder.example.com",
        secret=SECRET,
        deployment=None,
        now=NOW,
    )
    return replace(at_rest, **fields)


def plan(desired: ProxySpec, seen: ObservedProxy) -> list[str]:
    return [str(change) for change in KIND.plan(desired, seen, seen.resource.status)]


def no_proxy(**fields: Any) -> ObservedProxy:
    return observed(item=resource(), external_id=None, proxy=None, namesake=None, secret=None, **fields)


# Plans


def test_a_proxy_that_is_not_there_is_created_with_a_token() -> None:
    assert plan(spec(), no_proxy()) == [
        "create eu",
        "spec.tokenSecret: 'none that this object made' becomes 'a new token'",
    ]


def test_a_workload_is_planned_with_the_proxy_that_it_is_for() -> None:
    assert plan(spec(workload=workload()), no_proxy())[2:] == ["create Deployment eu-wsproxy"]


def test_a_proxy_at_rest_is_left_alone() -> None:
    assert plan(spec(), observed()) == []
    assert plan(spec(displayName="EU", icon="/eu.png"), observed()) == []


@pytest.mark.parametrize(
    ("declared", "actual", "expected"),
    [
        ({"displayName": "Europe"}, {}, ["spec.displayName: 'EU' becomes 'Europe'"]),
        ({"icon": "/new.png"}, {}, ["spec.icon: '/eu.png' becomes '/new.png'"]),
        ({}, {"name": "EU"}, ["spec.name: 'EU' becomes 'eu'"]),
        ({}, {"display_name": "x", "icon_url": "/x"}, []),
    ],
)
def test_what_is_declared_is_corrected_and_the_rest_left_alone(
    declared: Body, actual: Body, expected: list[str]
) -> None:
    assert plan(spec(**declared), observed(proxy(**actual))) == expected


@pytest.mark.parametrize("field", ["url", "version", "updated_at", "wildcard_hostname"])
def test_what_a_registration_changes_is_no_difference(field: str) -> None:
    assert plan(spec(displayName="EU"), observed(proxy(**{field: "other"}))) == []


def why(seen: ObservedProxy, **declared: Any) -> str:
    """Why there is to be a new token; "" when the present one stays."""
    changes = KIND.plan(spec(**declared), seen, seen.resource.status)
    return next((str(change.before) for change in changes if change.path == "spec.tokenSecret"), "")


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (SECRET, ""),
        (None, "lost with the Secret"),
        ({}, "lost from the Secret"),
        (SECRET | {"CODER_PROXY_SESSION_TOKEN": ""}, "lost from the Secret"),
        (SECRET | {"CODER_PROXY_SESSION_TOKEN": "another"}, "not the one in the Secret"),
    ],
)
def test_a_secret_without_the_present_token_gets_a_new_one(secret: Body | None, expected: str) -> None:
    assert why(observed(secret=secret)) == expected


@pytest.mark.parametrize(
    "status",
    [
        {"id": PROXY_ID},
        {"tokenFingerprint": fingerprint(TOKEN)},
        {"id": "of another", "tokenFingerprint": fingerprint(TOKEN)},
    ],
)
def test_a_token_that_is_not_recorded_for_this_very_proxy_is_not_trusted(status: Body) -> None:
    assert why(observed(item=resource(status))) == "none that this object made"


@pytest.mark.parametrize(
    ("handled", "requested", "expected"),
    [
        (None, "", ""),
        (None, "a", "one that is to be replaced (a)"),
        ("a", "a", ""),
        ("a", "b", "one that is to be replaced (b)"),
        ("a", "", ""),
        ("x" * 256, "x" * 300, ""),
    ],
)
def test_an_annotation_rotates_once_for_each_value(handled: str | None, requested: str, expected: str) -> None:
    status = RECORDED | ({"lastHandledRotateAt": handled} if handled else {})
    assert why(observed(item=resource(status, rotate_token_at=requested))) == expected


@pytest.mark.parametrize(
    ("every", "expected"),
    [("13h", ""), ("12h", "one from 2026-03-01T00:00:00Z"), ("1h", "one from 2026-03-01T00:00:00Z"), (None, "")],
)
def test_a_token_is_rotated_when_it_is_too_old(every: str | None, expected: str) -> None:
    assert why(observed(), tokenSecret={"rotateEvery": every}) == expected


def test_the_next_rotation_is_not_slept_through() -> None:
    verdict = KIND.verdict(
        spec(tokenSecret={"rotateEvery": "12h"}), observed(now=NOW.replace(hour=11, minute=59, second=55))
    )
    assert verdict.revisit == 5


def test_a_rotation_is_no_drift() -> None:
    changes = KIND.plan(spec(), observed(secret=None), RECORDED)
    assert [change.event for change in changes] == ["TokenRotated"]


def test_another_address_of_the_deployment_is_written_without_a_new_token() -> None:
    seen = observed(primary_url="https://new.example.com")
    [change] = KIND.plan(spec(), seen, RECORDED)
    assert (change.after, why(seen)) == ("https://new.example.com", "")


def test_a_plan_shows_nothing_of_the_secret() -> None:
    changes = KIND.plan(spec(), observed(secret=dict.fromkeys(SECRET, "leaked")), RECORDED)
    assert "leaked" not in repr(changes)
    assert TOKEN not in repr(observed())


def test_observe_compares_only_what_coder_has() -> None:
    desired = spec(managementPolicy="Observe", displayName="Europe", workload=workload())
    assert plan(desired, observed(item=resource(), secret=None)) == ["spec.displayName: 'EU' becomes 'Europe'"]


TEXTS: Final = st.sampled_from(["a", "b"])


@given(
    st.fixed_dictionaries({}, optional={"displayName": TEXTS, "icon": st.sampled_from(["/a", "/b"])}),
    st.fixed_dictionaries({}, optional={"display_name": TEXTS, "icon_url": TEXTS, "name": TEXTS}),
    st.sampled_from([None, {}, SECRET]),
)
def test_a_plan_is_the_same_each_time_it_is_made(declared: Body, actual: Body, secret: Body | None) -> None:
    seen = observed(proxy(**actual), secret=secret)
    assert plan(spec(**declared), seen) == plan(spec(**declared), seen)


# Intent


def test_a_token_that_is_about_to_die_is_forgotten_first() -> None:
    seen = observed(secret=None)
    changes = KIND.plan(spec(), seen, RECORDED)
    assert KIND.intent(spec(), changes, RECORDED) == {"tokenFingerprint": None}
    assert KIND.intent(spec(), changes, {}) == {}
    assert KIND.intent(spec(displayName="x"), KIND.plan(spec(displayName="x"), observed(), RECORDED), RECORDED) == {}


def test_a_workload_is_recorded_before_it_exists() -> None:
    desired = spec(workload=workload())
    changes = KIND.plan(desired, observed(), RECORDED)
    assert KIND.intent(desired, changes, RECORDED) == {"selector": workload_module.selector("eu")}


# A Coder, and what goes wrong


class Killed(BaseException):
    """The operator ends here."""


class Points(CallHooks):
    """Ends the operator before or after one of its calls."""

    def __init__(self) -> None:
        self.passed = 0
        self.kill_at: int | None = None

    def reach(self) -> None:
        self.passed += 1
        if self.kill_at is not None and self.passed > self.kill_at:
            self.kill_at = None
            raise Killed

    @override
    async def before(self, call: Call) -> None:
        if call.writes:
            self.reach()

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        if call.writes:
            self.reach()


class Mortal(Beside):
    def __init__(self, points: Points) -> None:
        super().__init__()
        self.points = points

    @override
    async def write_secret(self, resource: Resource, name: str, values: Mapping[str, str]) -> None:
        self.points.reach()
        await super().write_secret(resource, name, values)
        self.points.reach()


class Coder:
    """What a Coder does with its proxies. `shows` is where it puts a new token: body, header, or nowhere."""

    def __init__(self, server: Scripted, shows: str = "body") -> None:
        self.proxies: dict[str, Body] = {}
        self.tokens: dict[str, str] = {}
        self.requests: list[Body] = []
        self.shows = shows
        self._server = server
        self._count = 0
        server.reply("/workspaceproxies", lambda _: web.json_response({"regions": list(self.proxies.values())}))
        server.reply("/workspaceproxies", self._create, method="POST")
        server.answer("/users/me", {"id": "me", "username": "me", "roles": [{"name": "owner"}]})

    def add(self, name: str) -> str:
        self._count += 1
        proxy_id = f"{self._count:08}-0000-4000-8000-000000000000"
        self.proxies[proxy_id] = {"id": proxy_id, "name": name}
        path = f"/workspaceproxies/{proxy_id}"
        self._server.reply(path, lambda _: self._get(proxy_id))
        self._server.reply(path, lambda asked: self._patch(proxy_id, asked), method="PATCH")
        self._server.reply(path, lambda _: self._delete(proxy_id), method="DELETE")
        return proxy_id

    def _create(self, asked: Asked) -> web.Response:
        sent = json.loads(asked.body)
        proxy_id = self.add(sent["name"])
        self.proxies[proxy_id] |= {"display_name": sent["display_name"], "icon_url": sent["icon"]}
        return self._answer(proxy_id, 201, new_token=True)

    def _get(self, proxy_id: str) -> web.Response:
        return web.json_response(self.proxies.get(proxy_id, {"id": proxy_id, "name": "x", "deleted": True}))

    def _patch(self, proxy_id: str, asked: Asked) -> web.Response:
        sent = json.loads(asked.body)
        self.requests.append(sent)
        self.proxies[proxy_id] |= {"name": sent["name"], "display_name": sent["display_name"], "icon_url": sent["icon"]}
        return self._answer(proxy_id, 200, new_token=sent["regenerate_token"])

    def _delete(self, proxy_id: str) -> web.Response:
        self.proxies.pop(proxy_id, None)
        return web.json_response({"message": "gone"})

    def _answer(self, proxy_id: str, status: int, *, new_token: bool) -> web.Response:
        token = ""
        if new_token:
            self._count += 1
            token = self.tokens[proxy_id] = f"{proxy_id}:{self._count:064x}"
        body, header = self.proxies[proxy_id], {"Coder-Workspace-Proxy-Token": token}
        if self.shows == "body":
            return web.json_response({"proxy": body, "proxy_token": token}, status=status)
        return web.json_response(body, status=status, headers=header if self.shows == "header" and token else {})


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
def beside(points: Points) -> Mortal:
    return Mortal(points)


@pytest.fixture
async def context(server: Scripted, points: Points, beside: Mortal) -> AsyncIterator[Context]:
    async with CoderClient(server.settings, points) as client:
        yield Context(client=client, directory=Directory(client), cluster=beside, users_newer_than=0.0)


class Visits:
    """What the engine does with the kind, one visit after the other; status outlives the operator."""

    def __init__(self, context: Context, **declared: Any) -> None:
        self.context = context
        self.spec = spec(**declared)
        self.item = resource()
        self.changes: list[Change] = []
        self.verdict = Verdict()

    def _record(self, fields: Mapping[str, Any]) -> None:
        status = {**self.item.status, **fields}
        self.item = replace(self.item, status={name: value for name, value in status.items() if value is not None})

    async def visit(self) -> None:
        seen = await KIND.observe(self.context, self.item, self.spec, fresh=True)
        self.changes = KIND.plan(self.spec, seen, self.item.status)
        if self.changes:
            self._record(KIND.intent(self.spec, self.changes, self.item.status))
            seen = await KIND.apply(self.context, self.spec, replace(seen, resource=self.item), self.changes)
        self.verdict = KIND.verdict(self.spec, seen)
        self._record(KIND.report(self.spec, seen, self.changes, self.item.status))

    async def settle(self) -> None:
        """Until nothing is left to do."""
        for _ in range(5):
            await self.visit()
            if not self.changes:
                return
        raise AssertionError(f"it does not come to rest: {self.changes}")


def token_in(beside: Beside) -> str:
    return beside.secrets["team", "eu-token"]["CODER_PROXY_SESSION_TOKEN"]


@pytest.mark.parametrize("shows", ["body", "header"])
@pytest.mark.parametrize("kill_at", range(9))
async def test_a_crash_at_any_point_of_making_or_rotating_leaves_one_proxy_and_its_present_token(
    server: Scripted, context: Context, points: Points, beside: Mortal, kill_at: int, shows: str
) -> None:
    coder = Coder(server, shows)
    visits = Visits(context)
    for round_ in ("made", "rotated"):
        points.passed, points.kill_at = 0, kill_at
        try:
            await visits.visit()
            assert kill_at >= 6, "making and rotating have three writes, and two points each"
        except Killed:
            context.directory.expire()
        points.kill_at = None
        await visits.settle()
        [proxy_id] = coder.proxies
        assert token_in(beside) == coder.tokens[proxy_id], round_
        assert visits.item.status["tokenFingerprint"] == fingerprint(token_in(beside))
        visits.item = replace(visits.item, annotations={ROTATE_TOKEN_AT: "now"})
    assert token_in(beside) not in json.dumps(visits.item.status)


async def test_old_servers_get_all_four_fields_with_a_rotation(server: Scripted, context: Context) -> None:
    coder = Coder(server)
    visits = Visits(context, adoptionPolicy="Adopt")
    proxy_id = coder.add("eu")
    visits.item = resource({"id": proxy_id})
    await visits.settle()
    assert coder.requests == [
        {
            "id": proxy_id,
            "name": "eu",
            "display_name": "eu",
            "icon": "/emojis/1f310.png",
            "regenerate_token": True,
        }
    ]


async def test_what_coder_has_is_sent_back_where_spec_says_nothing(server: Scripted, context: Context) -> None:
    coder = Coder(server)
    visits = Visits(context, displayName="Europe")
    await visits.settle()
    [proxy_id] = coder.proxies
    coder.proxies[proxy_id] |= {"display_name": "by hand", "icon_url": "/by-hand.png"}
    await visits.settle()
    [request] = coder.requests
    assert (request["display_name"], request["icon"], request["regenerate_token"]) == ("Europe", "/by-hand.png", False)


async def test_a_server_that_shows_no_token_is_asked_once_and_said(
    server: Scripted, context: Context, beside: Mortal
) -> None:
    coder = Coder(server, "nowhere")
    visits = Visits(context, workload=workload())
    await visits.settle()
    assert (visits.verdict.ready, visits.verdict.stalled, visits.verdict.reason) == (
        False,
        True,
        Reason.TOKEN_NOT_SHOWN,
    )
    assert coder.requests == []
    assert beside.workloads == {}
    beside.secrets["team", "eu-token"]["CODER_PROXY_SESSION_TOKEN"] = "by hand"
    await visits.settle()
    assert token_in(beside) == "by hand"
    assert visits.verdict.reason == Reason.NOT_REGISTERED
    assert list(beside.workloads) == [("team", "eu-wsproxy")]


async def test_nothing_is_asked_of_coder_for_a_secret_that_cannot_be_written(
    server: Scripted, context: Context, beside: Mortal, points: Points
) -> None:
    coder = Coder(server)
    visits = Visits(context)
    points.kill_at = 0
    with pytest.raises(Killed):
        await visits.visit()
    assert coder.proxies == {}


async def test_the_workload_follows_the_token_at_once(server: Scripted, context: Context, beside: Mortal) -> None:
    Coder(server)
    visits = Visits(context, workload=workload())
    await visits.visit()
    assert visits.verdict.revisit == AT_ONCE
    assert beside.workloads == {}
    await visits.visit()
    assert [str(change) for change in visits.changes] == ["create Deployment eu-wsproxy"]
    body = beside.workloads["team", "eu-wsproxy"]
    annotations = body["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {workload_module.TOKEN_CHECKSUM: fingerprint(token_in(beside))}
    assert token_in(beside) not in json.dumps(body)


async def test_a_new_name_that_another_proxy_has_is_not_even_asked_for(server: Scripted, context: Context) -> None:
    """Coder answers 500 to that."""
    coder = Coder(server)
    visits = Visits(context)
    await visits.settle()
    coder.add("US")
    visits.spec = spec(name="us")
    with pytest.raises(KindError, match="belongs to another workspace proxy") as raised:
        await visits.visit()
    assert raised.value.reason == Reason.ALREADY_EXISTS
    assert coder.requests == []


# Reading


def test_a_list_is_looked_up_by_name_without_case_and_skips_what_is_deleted() -> None:
    index = ProxyIndex([proxy(name="EU"), proxy(id="gone", name="old", deleted=True)])
    assert index.named("eu") == index.get(PROXY_ID) == proxy(name="EU")
    assert (index.named("old"), index.get("gone")) == (None, None)


async def test_health_is_read_for_all_at_once(server: Scripted, context: Context) -> None:
    coder = Coder(server)
    coder.add("eu")
    for name in ("eu", "us", "jp"):
        item = replace(resource(), key=resource().key._replace(name=name))
        await KIND.observe(context, item, spec(), fresh=False)
    assert server.paths() == ["/workspaceproxies"]


@pytest.mark.parametrize(
    ("answer", "roles", "error"),
    [
        ({"body": {"id": PROXY_ID, "name": "eu", "deleted": True}}, [], None),
        ({"body": NOT_FOUND, "status": 404}, [{"name": "owner"}], None),
        ({"body": NOT_FOUND, "status": 404}, [{"name": "member"}], "NotFound"),
        ({"body": NO_ROUTE, "status": 404}, [{"name": "owner"}], "NotServed"),
    ],
)
async def test_a_proxy_is_gone_when_coder_says_so_to_somebody_who_sees_all(
    server: Scripted, context: Context, answer: Body, roles: list[Body], error: str | None
) -> None:
    server.answer("/workspaceproxies", {"regions": None})
    server.answer(f"/workspaceproxies/{PROXY_ID}", **answer)
    server.answer("/users/me", {"id": "me", "username": "me", "roles": roles})
    look = KIND.observe(context, resource(RECORDED), spec(), fresh=True)
    if error is None:
        assert (await look).proxy is None
        return
    with pytest.raises(errors.OperatorError) as raised:
        await look
    assert raised.value.reason == error


async def test_a_server_without_workspace_proxies_says_what_to_enable(server: Scripted, context: Context) -> None:
    with pytest.raises(KindError, match="moons") as raised:
        await KIND.observe(context, resource(), spec(), fresh=True)
    assert raised.value.reason == Reason.NOT_SERVED


# Deletion


@pytest.mark.parametrize(("status", "answer"), [(200, {"message": "gone"}), (404, NOT_FOUND)])
async def test_what_is_gone_counts_as_deleted(server: Scripted, context: Context, status: int, answer: Body) -> None:
    server.answer(f"/workspaceproxies/{PROXY_ID}", answer, method="DELETE", status=status)
    server.answer("/users/me", {"id": "me", "username": "me", "roles": [{"name": "owner"}]})
    await KIND.delete(context, resource(RECORDED))


async def test_a_404_for_a_token_that_does_not_see_all_is_no_deletion(server: Scripted, context: Context) -> None:
    server.answer(f"/workspaceproxies/{PROXY_ID}", NOT_FOUND, method="DELETE", status=404)
    server.answer("/users/me", {"id": "me", "username": "me", "roles": []})
    with pytest.raises(errors.NotFound):
        await KIND.delete(context, resource(RECORDED))


async def test_what_was_never_made_is_not_deleted(server: Scripted, context: Context) -> None:
    await KIND.delete(context, resource())
    assert server.asked == []


# Health


def verdict(seen: ObservedProxy, **declared: Any) -> tuple[bool, str]:
    found = KIND.verdict(spec(**declared), seen)
    return found.ready, str(found.reason)


def conditions(seen: ObservedProxy, **declared: Any) -> dict[str, DomainCondition]:
    return {condition.type: condition for condition in KIND.verdict(spec(**declared), seen).conditions}


@pytest.mark.parametrize(
    ("status", "url", "ready", "reason", "registered", "healthy"),
    [
        ("ok", URL, True, "Applied", "True", "True"),
        ("unregistered", "", False, "NotRegistered", "False", "Unknown"),
        ("unknown", "", False, "NotRegistered", "False", "Unknown"),
        ("unknown", URL, False, "NotChecked", "True", "Unknown"),
        ("unregistered", URL, False, "NotChecked", "True", "Unknown"),
        ("unreachable", URL, False, "ProxyUnreachable", "True", "False"),
        ("unhealthy", URL, False, "ProxyUnhealthy", "True", "False"),
        ("haunted", URL, False, "ProxyUnhealthy", "True", "False"),
    ],
)
def test_readiness_is_what_coder_found(
    status: str, url: str, ready: bool, reason: str, registered: str, healthy: str
) -> None:
    seen = observed(proxy(status, url))
    assert verdict(seen) == (ready, reason)
    found = conditions(seen)
    assert (found["Registered"].status, found["Healthy"].status) == (registered, healthy)
    assert "WorkloadAvailable" not in found
    assert KIND.verdict(spec(), seen).dropped == ("WorkloadAvailable",)
    assert KIND.verdict(spec(), seen).revisit == (REVISIT if ready else REVISIT_NOT_READY)


@pytest.mark.parametrize("status", ["unknown", "unregistered"])
def test_a_server_that_was_just_started_changes_nothing(status: str) -> None:
    known = RECORDED | {"health": {"status": "ok", "since": "2026-01-01T00:00:00Z", "warnings": ["old"]}}
    seen = observed(proxy(status), resource(known))
    assert verdict(seen) == (True, "Applied")
    assert report(seen)["health"] == known["health"]


def test_the_errors_of_coder_are_in_the_message() -> None:
    seen = observed(proxy("unreachable", errors=["connection refused"]))
    assert "connection refused" in KIND.verdict(spec(), seen).message
    assert report(seen)["health"]["errors"] == ["connection refused"]


def test_warnings_leave_a_proxy_ready() -> None:
    seen = observed(proxy("ok", warnings=["another version"]))
    assert verdict(seen) == (True, "Applied")
    assert "another version" in conditions(seen)["Healthy"].message


def report(seen: ObservedProxy, **declared: Any) -> Body:
    return KIND.report(spec(**declared), seen, (), seen.resource.status)


def test_since_moves_only_with_the_status() -> None:
    health = {"status": "unreachable", "since": "2026-01-01T00:00:00Z"}
    for known in (RECORDED | {"health": health}, {"health": health}):
        assert report(observed(proxy("unreachable"), resource(known)))["health"]["since"] == health["since"]
        assert report(observed(proxy("unhealthy"), resource(known)))["health"]["since"] == "2026-03-01T12:00:00Z"


def test_errors_that_differ_only_by_a_port_of_the_moment_are_the_same() -> None:
    texts = [f"read tcp 10.0.0.1:{port}->10.0.0.2:3001: connection reset by peer" for port in (40001, 50002)]
    first, second = (report(observed(proxy("unreachable", errors=[text])))["health"]["errors"] for text in texts)
    assert first == second == ["read tcp 10.0.0.1->10.0.0.2:3001: connection reset by peer"]


TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=2000)


@given(
    status=st.sampled_from(["ok", "unreachable", "unhealthy", "unregistered", "unknown", "x" * 99]),
    found=st.lists(TEXT, max_size=MAX_MESSAGES + 2),
    text=TEXT,
)
def test_status_fits_its_schema_whatever_coder_says(status: str, found: list[str], text: str) -> None:
    seen = observed(proxy(status, text, errors=found, warnings=found, version=text, wildcard_hostname=text), resource())
    fields = {name: value for name, value in report(seen, workload=workload()).items() if value is not None}
    assert list(problems(SCHEMA["status"], fields)) == []
    assert all(len(item) <= MAX_MESSAGE for item in fields["health"].get("errors", ()))


# The workload's part


def deployment(*, available: bool, owner: str = "u1", **spec_fields: Any) -> Body:
    desired = spec(workload=workload(replicas=2, **spec_fields)).workload
    assert desired is not None
    place = workload_module.Placement(
        name="eu-wsproxy",
        instance="eu",
        secret="eu-token",
        primary_url="https://coder.example.com",
        token_fingerprint=fingerprint(TOKEN),
    )
    body = workload_module.body(desired, place)
    body["metadata"] |= {"generation": 1, "ownerReferences": [{"uid": owner}]}
    condition = {"type": "Available", "status": str(available), "message": "no minimum"}
    counts = {"replicas": 2, "readyReplicas": 2 if available else 0}
    return body | {"status": {"observedGeneration": 1, "conditions": [condition], **counts}}


def test_a_workload_at_rest_is_left_alone() -> None:
    seen = observed(deployment=deployment(available=True))
    assert plan(spec(workload=workload(replicas=2)), seen) == []
    assert verdict(seen, workload=workload(replicas=2)) == (True, "Applied")
    fields = report(seen, workload=workload(replicas=2))
    assert (fields["replicas"], fields["readyReplicas"]) == (2, 2)


def test_a_healthy_proxy_whose_workload_is_not_available_is_not_ready() -> None:
    seen = observed(deployment=deployment(available=False))
    assert verdict(seen, workload=workload(replicas=2)) == (False, "WorkloadUnavailable")
    condition = conditions(seen, workload=workload(replicas=2))["WorkloadAvailable"]
    assert (condition.status, condition.message) == ("False", "0 of 2 replicas are ready; no minimum")


def test_trouble_of_the_workload_is_said_with_that_of_the_proxy() -> None:
    seen = observed(proxy("unregistered", ""), deployment=deployment(available=False))
    found = KIND.verdict(spec(workload=workload(replicas=2)), seen)
    assert (found.reason, "0 of 2 replicas" in found.message) == (Reason.NOT_REGISTERED, True)


def test_a_field_of_the_workload_is_named_with_its_difference() -> None:
    seen = observed(deployment=deployment(available=True))
    [change] = plan(spec(workload=workload(replicas=3)), seen)
    assert change == "spec.workload (Deployment eu-wsproxy spec.replicas): '2' becomes '3'"


@pytest.mark.parametrize(("owner", "expected"), [("u1", ["spec.workload: remove Deployment eu-wsproxy"]), ("u2", [])])
def test_a_workload_that_is_dropped_is_removed_if_it_is_ours(owner: str, expected: list[str]) -> None:
    seen = observed(item=resource(RECORDED | {"selector": "x"}), deployment=deployment(available=True, owner=owner))
    assert plan(spec(), seen) == expected
    assert ("selector" in report(seen)) is (owner != "u1"), "what is still there is not forgotten"
