"""Each kind says which calls it makes and what rights they take; here it makes them, against a real server."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import pytest
from typing_extensions import override

from coder_enterprise.client import errors
from coder_enterprise.client.clock import now
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import Call, CallHooks, ConnectionSettings
from coder_enterprise.client.operations import OPERATIONS
from coder_enterprise.kinds.machinery.base import Context, ManagedKind
from coder_enterprise.kinds.machinery.resource import Resource
from coder_enterprise.kinds.registry import CONNECTION_KIND, KINDS, MANAGED_KINDS
from coder_enterprise.wire.profiles import Profile
from tests.support.beside import Beside
from tests.support.manifests import members, roles
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer, license_for_tests

Spec = dict[str, Any]
SCIM_KEY: Final = "Bearer scim"
PASSWORD: Final = "correct horse battery staple 7"
NUMBERS: Final = itertools.count()
OLD_SERVERS: Final = frozenset({"organizations.list"})
"""Calls that only servers below Coder 2.9 are asked for, which ours is not."""
BY_NAME: Final[Mapping[str, ManagedKind[Any, Any]]] = {kind.names.kind: kind for kind in MANAGED_KINDS}


class Recorder(CallHooks):
    def __init__(self) -> None:
        self.calls: set[tuple[str, str, str]] = set()

    @property
    def operations(self) -> set[str]:
        return {operation for operation, _, _ in self.calls}

    @override
    async def before(self, call: Call) -> None:
        self.calls.add((call.operation, call.method, call.path))

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        """Refused or not, it was made."""


@dataclass(frozen=True)
class Story:
    """What becomes of one object: its specs one after the other, and in the end it is deleted."""

    kind: str
    specs: Sequence[Mapping[str, Any]]
    meanwhile: Callable[[str], object] | None = None
    """What somebody else does to it, by its id, after the first of them."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """Status at the beginning."""


def stories(coder: CoderAPI) -> list[Story]:
    """With names that no other story has."""
    number = next(NUMBERS)
    ann, bea, crew, template = f"ann{number}", f"bea{number}", f"crew{number}", f"template{number}"
    coder.create_user(bea)
    found, granted = coder.create_group(crew), coder.create_group(f"granted{number}")
    made = coder.create_template(template)
    coder.patch_acl(made["id"], group_perms={granted["id"]: "use"})
    person: Spec = {"username": ann, "email": f"{ann}@example.com", "loginType": "password"}
    person = {**person, "passwordSecretRef": {"name": "password"}, "showQuota": True}
    hours: Spec = {"quietHours": {"schedule": "CRON_TZ=Europe/Berlin 30 2 * * *"}}
    provided = {"username": f"zoe{number}", "email": f"zoe{number}@example.com", "via": "SCIM"}
    lost = {"username": f"lost{number}", "email": f"lost{number}@example.com"}
    acl = {"template": {"name": template}, "everyone": "none"}
    return [
        Story(
            "CoderUser",
            [
                person,
                person | hours | {"name": "Ann", "roles": ["auditor"]},
                person | {"state": "suspended"},
                person | {"state": "active", "onDelete": "Delete"},
            ],
        ),
        Story("CoderUser", [provided, provided | {"state": "suspended"}]),
        Story(
            "CoderGroup",
            [{"name": f"new{number}", "members": members(bea)}, {"name": f"new{number}", "displayName": "New"}],
        ),
        Story("CoderGroup", [{"name": crew, "adoptionPolicy": "Adopt", "quotaAllowance": 5}]),
        Story("CoderGroup", [{"name": granted["name"], "adoptionPolicy": "Adopt", "quotaAllowance": 5}]),
        Story("CoderTemplateACL", [acl | {"users": roles(**{bea: "use"})}]),
        Story("CoderTemplateACL", [{"template": {"id": made["id"]}, "groups": [{"name": crew, "role": "use"}]}]),
        Story("CoderWorkspaceProxy", [{"name": f"eu{number}"}, {"name": f"eu{number}", "displayName": "Europe"}]),
        Story("CoderLicense", [{"secretRef": {"name": "licence"}}, {"secretRef": {"name": "renewed"}}]),
        Story("CoderAppearance", [{"applicationName": f"Acme {number}"}]),
        Story("CoderWorkspaceProxy", [{"name": f"us{number}"}] * 2, coder.delete_proxy),
        Story("CoderWorkspaceProxy", [{"name": f"au{number}"}], recorded={"id": str(uuid4())}),
        Story("CoderUser", [lost], coder.delete_user),
        Story("CoderUser", [{"email": f"nobody{number}@example.com", "managementPolicy": "Observe"}]),
        Story("CoderGroup", [{"name": found["name"], "managementPolicy": "Observe"}]),
    ]


async def live_through(context: Context, story: Story) -> None:
    """As an operator would, with what Coder says."""
    kind, status = BY_NAME[story.kind], dict(story.recorded)
    for number, declared in enumerate(story.specs):
        spec = kind.spec_model.model_validate(declared)
        resource = _resource(story, declared, status)
        await kind.identity(context, resource, spec)
        await kind.observe(context, resource, spec, fresh=False)
        observed = await kind.observe(context, resource, spec, fresh=True)
        if spec.management_policy != "Enforce":
            return
        changes = kind.plan(spec, observed, status)
        status |= kind.intent(spec, changes, status)
        after = await kind.apply(context, spec, observed, changes)
        if after.trouble is not None:
            raise after.trouble
        status |= kind.report(spec, after, changes, status)
        status = {name: value for name, value in status.items() if value is not None}
        if number == 0 and story.meanwhile:
            story.meanwhile(status["id"])
    await kind.delete(context, _resource(story, story.specs[-1], status, deleting=True))


def _resource(story: Story, spec: Mapping[str, Any], status: Mapping[str, Any], *, deleting: bool = False) -> Resource:
    metadata: dict[str, Any] = {"namespace": "default", "name": "x", "uid": "u", "resourceVersion": "1"}
    if deleting:
        metadata["deletionTimestamp"] = "2027-01-01T00:00:00Z"
    return Resource.from_body(story.kind, {"metadata": metadata, "spec": dict(spec), "status": dict(status)})


@pytest.fixture(scope="module")
def servers() -> Iterator[list[CoderServer]]:
    """One for each wire profile."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(CoderServer(profile=profile, CODER_SCIM_AUTH_HEADER=SCIM_KEY)) for profile in Profile
        ]


@pytest.fixture
def server(servers: list[CoderServer]) -> CoderServer:
    return servers[0]


@asynccontextmanager
async def connected(server: CoderServer, token: str, recorder: Recorder) -> AsyncIterator[Context]:
    beside = Beside()
    beside.secrets["default", "password"] = {"password": PASSWORD}
    for name in ("licence", "renewed"):
        beside.secrets["default", name] = {"license": license_for_tests()}
    async with CoderClient(ConnectionSettings(server.url, token, scim_key=SCIM_KEY), recorder) as client:
        yield Context(client, Directory(client), beside, users_newer_than=now())


async def test_each_kind_makes_the_calls_that_it_says(servers: list[CoderServer]) -> None:
    made: defaultdict[str, set[str]] = defaultdict(set)
    for server in servers:
        coder = CoderAPI(server.url, server.token)
        for story in stories(coder):
            recorder = Recorder()
            async with connected(server, server.token, recorder) as context:
                await live_through(context, story)
            made[story.kind] |= recorder.operations
            unknown = [call for call in recorder.calls if not _is_known(*call)]
            assert not unknown, "client.operations knows another route"
        coder.close()
    for kind in MANAGED_KINDS:
        assert made[kind.names.kind] == set(kind.calls) - OLD_SERVERS, kind.names.kind


def _is_known(operation: str, method: str, path: str) -> bool:
    known = OPERATIONS[operation]
    return known.method == method and any(_fits(template, path) for template in known.paths)


def _fits(template: str, path: str) -> bool:
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, path) is not None


async def test_the_probe_makes_the_calls_that_it_says(server: CoderServer) -> None:
    recorder = Recorder()
    async with connected(server, server.token, recorder) as context:
        await CONNECTION_KIND.probe(context.client, context.directory)
    operations = {operation for operation, _, _ in recorder.calls}
    assert operations <= set(CONNECTION_KIND.calls)
    assert set(CONNECTION_KIND.calls) - operations <= OLD_SERVERS | {"organizations.get"}


def test_all_calls_are_somebody_s() -> None:
    known = {call for kind in KINDS for call in kind.calls}
    assert known == set(OPERATIONS) - {"authorization.check"}


@pytest.mark.parametrize("role", ["user-admin", "template-admin", ""])
async def test_who_has_the_rights_and_nobody_else_may_make_the_calls(
    server: CoderServer, coder: CoderAPI, role: str
) -> None:
    person = coder.create_user(f"someone{next(NUMBERS)}")
    coder.set_roles(person["id"], *filter(None, [role]))
    token = coder.create_token(person["id"])
    for theirs, owners in zip(stories(coder), stories(coder), strict=True):
        recorder = Recorder()
        async with connected(server, server.token, recorder) as context:
            await live_through(context, owners)
        required = recorder.operations - BY_NAME[owners.kind].attempts
        needed = {right for name in required if (right := OPERATIONS[name].right) is not None}
        async with connected(server, token, Recorder()) as context:
            granted = await context.client.users.may(sorted(needed))
            try:
                await live_through(context, theirs)
            except errors.OperatorError:
                assert not all(granted.values()), f"{theirs.kind} {theirs.specs}"
            else:
                observed = theirs.specs[-1].get("managementPolicy") == "Observe"  # who sees less is only shown less
                assert observed or all(granted.values()), f"{theirs.kind} {theirs.specs} {granted}"
