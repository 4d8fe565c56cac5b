"""The operator is killed before and after each request to Coder and each write to Kubernetes, of every kind.

Each of these points is reached, and kills, once while the object is made, once while it is changed and once while it is
deleted; whoever starts next has to go on from there, and dies at the next point that is new.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from coder_enterprise.kinds.machinery.resource import ROTATE_TOKEN_AT
from coder_enterprise.kinds.proxy.workload_body import workload_name
from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import (
    Body,
    appearance,
    deployment,
    group,
    license_,
    members,
    proxy,
    roles,
    secret,
    template_acl,
    user,
    workload,
)
from tests.support.mortal import SPARE
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.processes import Process
from tools.server_process import CoderServer, license_for_tests

SCIM_KEY: Final = "key-of-scim"
TIMEOUT: Final = 120.0
"""Seconds for one stage, with a death and a start at each of its points."""


class Walk:
    """The operator that dies at each new point, and the points."""

    def __init__(self, namespace: Namespace, folder: Path, kind: str) -> None:
        self._passed = folder / "passed"
        self._own: set[str] = set()
        self._points: set[str] = set()
        self._start_stage()
        command = [sys.executable, "-m", "tests.support.mortal"]
        command += [str(namespace.plane.kubeconfig), namespace.name, str(self._passed), kind]
        self.process = Process("mortal operator", command, folder / "operator.log")

    def spare(self, condition: Callable[[], object], what: str) -> None:
        """Until `condition`, without a death, and later not at these points either."""
        self._passed.write_text(f"{SPARE}\n")
        wait_until(condition, what)
        self._own = set(self._read()) - {SPARE}
        self._start_stage()

    def end_stage(self, settled: Callable[[], bool], see: Callable[[], Any] = lambda: None, shown: Any = None) -> None:
        """Until it is settled and one sees what is to be shown, with a death at each new point."""
        try:
            wait_until(lambda: settled() and see() == shown, "the stage is over", TIMEOUT)
        except AssertionError:
            print(self.process.tail(), self._read(), sep="\n")
            assert see() == shown
            raise
        assert self.process.exit_code is None, self.process.tail()
        self._points |= set(self._read())
        self._start_stage()

    def went_around(self, *calls: str) -> bool:
        """Whether it died before and after each of these, in any stage."""
        return {f"{when} {call}" for when in ("before", "after") for call in calls} <= self._points

    def _start_stage(self) -> None:
        self._passed.write_text("".join(f"{point}\n" for point in sorted(self._own)))

    def _read(self) -> list[str]:
        return self._passed.read_text().splitlines()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    with CoderServer(profile=request.param, CODER_SCIM_AUTH_HEADER=SCIM_KEY) as process:
        yield process


@pytest.fixture
def walk(request: pytest.FixtureRequest, namespace: Namespace, tmp_path: Path) -> Iterator[Walk]:
    """By an operator that knows, beside CoderDeployments, one kind: that of the life that the test is about."""
    life: Life | None = request.node.callspec.params.get("life")
    walk = Walk(namespace, tmp_path, life.born["kind"] if life else "CoderGroup")
    yield walk
    walk.process.kill()


@dataclass(frozen=True)
class Life:
    """What an object goes through, and what is there of it when it was made, changed and deleted."""

    born: Body
    grows: Body
    """A merge patch."""
    see: Callable[[CoderAPI, Namespace], Any]
    states: tuple[Any, Any, Any]
    calls: tuple[str, ...]
    """That must be among the points."""


def groups(coder: CoderAPI, _: Namespace) -> Any:
    return [
        (
            body["name"],
            body["display_name"],
            body["quota_allowance"],
            [member["username"] for member in body["members"]],
        )
        for body in coder.groups()
        if body["name"] not in {"Everyone", "ops"}
    ]


def person(coder: CoderAPI, _: Namespace) -> Any:
    found = coder.find_user("cleo")
    return found and (found["status"] == "suspended", coder.roles("cleo"), coder.schedule("cleo"))


def suspended(coder: CoderAPI, _: Namespace) -> Any:
    return coder.user("dora")["status"] == "suspended"


def roles_on_template(coder: CoderAPI, _: Namespace) -> Any:
    template = coder.template("docker")["id"]
    return coder.user_roles(template), coder.group_roles(template)


def looks(coder: CoderAPI, _: Namespace) -> Any:
    shown = coder.appearance()
    return shown["application_name"], shown["service_banner"].get("message", "")


def licences(coder: CoderAPI, _: Namespace) -> Any:
    return [found["claims"]["jti"] for found in coder.licenses() if found["claims"]["jti"] in {"first", "second"}]


def proxies(coder: CoderAPI, namespace: Namespace) -> Any:
    names = [(found["name"], found["display_name"]) for found in coder.proxies().values()]
    token = namespace.secret("eu-token").get("CODER_PROXY_SESSION_TOKEN", "")
    pods = (namespace.find("Deployment", workload_name("eu")) or {"spec": {"replicas": 0}})["spec"]["replicas"]
    return names, coder.accepts_proxy_token(token), pods


LIVES: Final = {
    "CoderGroup": Life(
        born=group("team", displayName="One", members=members("ann")),
        grows={"spec": {"displayName": "Two", "name": "crew", "quotaAllowance": 5, "members": members("bob")}},
        see=groups,
        states=([("team", "One", 0, ["ann"])], [("crew", "Two", 5, ["bob"])], []),
        calls=("groups.create", "groups.update", "groups.delete"),
    ),
    "CoderUser": Life(
        born=user("cleo", roles=["auditor"], onDelete="Delete", quietHours={"schedule": "30 2 * * *"}),
        grows={"spec": {"roles": ["user-admin"], "state": "suspended", "quietHours": {"schedule": "30 3 * * *"}}},
        see=person,
        states=(
            (False, {"auditor"}, "CRON_TZ=UTC 30 2 * * *"),
            (True, {"user-admin"}, "CRON_TZ=UTC 30 3 * * *"),
            None,
        ),
        calls=("users.create", "users.roles", "users.suspend", "users.delete"),
    ),
    "CoderUser by SCIM": Life(
        born=user("dora", via="SCIM"),
        grows={"spec": {"state": "suspended"}},
        see=suspended,
        states=(False, True, True),
        calls=("scim.create", "scim.update"),
    ),
    "CoderTemplateACL": Life(
        born=template_acl("docker", everyone="none", users=roles(ann="admin"), groups=[{"name": "ops", "role": "use"}]),
        grows={"spec": {"everyone": "use", "users": roles(bob="use"), "groups": [{"name": "ops", "role": "admin"}]}},
        see=roles_on_template,
        states=(
            ({"ann": "admin"}, {"ops": "use"}),
            ({"bob": "use"}, {"Everyone": "use", "ops": "admin"}),
            ({}, {}),
        ),
        calls=("templateacls.update",),
    ),
    "CoderAppearance": Life(
        born=appearance(
            applicationName="Acme", announcementBanners=[{"message": "Hello", "backgroundColor": "#1f6feb"}]
        ),
        grows={"spec": {"applicationName": "Acme Two", "announcementBanners": []}},
        see=looks,
        states=(("Acme", "Hello"), ("Acme Two", ""), ("", "")),
        calls=("appearance.put",),
    ),
    "CoderLicense": Life(
        born=license_(secret_name="first"),
        grows={"spec": {"secretRef": {"name": "second"}}},
        see=licences,
        states=(["first"], ["second"], []),
        calls=("licenses.add", "licenses.delete"),
    ),
    "CoderWorkspaceProxy": Life(
        born=proxy("eu", displayName="One", workload=workload()),
        grows={
            "metadata": {"annotations": {ROTATE_TOKEN_AT: "now"}},
            "spec": {"displayName": "Two", "workload": {"replicas": 2}},
        },
        see=proxies,
        states=(([("eu", "One")], True, 1), ([("eu", "Two")], True, 2), ([], False, 0)),
        calls=(
            "workspaceproxies.create",
            "workspaceproxies.update",
            "workspaceproxies.delete",
            "PATCH secrets",
            "PATCH deployments",
        ),
    ),
}


@pytest.fixture
def furnished(namespace: Namespace, server: CoderServer, coder: CoderAPI, walk: Walk) -> Namespace:
    """A Coder with all that the lives need, and a CoderDeployment that is Ready."""
    for name in ("ann", "bob"):
        coder.create_user(name)
    coder.create_template("docker")
    coder.create_group("ops")
    namespace.apply(
        secret(token=server.token, scim=SCIM_KEY),
        *(secret(name, license=license_for_tests(jti=name)) for name in ("first", "second")),
        deployment(server.url, scimSecretRef={"name": "coder-token", "key": "scim"}),
    )
    walk.spare(lambda: is_current(namespace, "CoderDeployment", "coder", "Ready"), "the CoderDeployment is Ready")
    return namespace


def is_current(namespace: Namespace, kind: str, name: str, type_: str = "Synced") -> bool:
    """The condition is true of the present spec."""
    found = namespace.condition(kind, name, type_)
    generation = namespace.get(kind, name)["metadata"]["generation"]
    return found.get("status") == "True" and found.get("observedGeneration") == generation


def cases() -> Iterator[Any]:
    """A server of the profile documented does not tell the roles of groups; all others have both, one only at night."""
    for name, life in LIVES.items():
        yield pytest.param("codersdk", life, id=f"{name}-codersdk")
        if name != "CoderTemplateACL":
            yield pytest.param("documented", life, id=f"{name}-documented", marks=pytest.mark.nightly)


@fault(
    name="operator killed",
    injected=(
        "SIGKILL before and after each request to Coder and each write to Kubernetes, while an object of each "
        "kind is made, changed and deleted."
    ),
    verdict="Nothing is there twice, nothing is left behind, and no object is stuck.",
)
@pytest.mark.parametrize(("server", "life"), tuple(cases()), indirect=["server"])
def test_a_crash_at_any_point_leaves_no_duplicate_no_leak_and_nothing_stuck(
    furnished: Namespace, coder: CoderAPI, walk: Walk, life: Life
) -> None:
    kind, name = life.born["kind"], life.born["metadata"]["name"]
    made, changed, deleted = life.states
    furnished.apply(life.born)
    walk.end_stage(lambda: is_current(furnished, kind, name), lambda: life.see(coder, furnished), made)
    furnished.patch(kind, name, life.grows)
    walk.end_stage(lambda: is_current(furnished, kind, name), lambda: life.see(coder, furnished), changed)
    furnished.delete(kind, name)
    walk.end_stage(lambda: furnished.find(kind, name) is None, lambda: life.see(coder, furnished), deleted)
    assert walk.went_around(*life.calls)


@fault(
    name="operator killed",
    injected="SIGKILL before and after each request and write of a CoderDeployment's life.",
    verdict="The CoderDeployment is Ready in the end, and goes when it is deleted.",
)
@pytest.mark.parametrize("server", ["documented", pytest.param("codersdk", marks=pytest.mark.nightly)], indirect=True)
def test_a_crash_at_any_point_of_a_deployment_leaves_nothing_stuck(
    namespace: Namespace, server: CoderServer, walk: Walk
) -> None:
    def connected() -> bool:
        return is_current(namespace, "CoderDeployment", "coder", "Ready")

    namespace.apply(secret(token=server.token), deployment(server.url))
    walk.end_stage(connected)
    namespace.patch("CoderDeployment", "coder", {"spec": {"resyncInterval": "1m"}})
    walk.end_stage(connected)
    namespace.delete("CoderDeployment", "coder")
    walk.end_stage(lambda: namespace.find("CoderDeployment", "coder") is None)
    assert walk.went_around("buildinfo.get", "users.me", "entitlements.get", "PATCH coderdeployments/status")
