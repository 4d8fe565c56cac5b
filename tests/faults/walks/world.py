"""Does the steps of a walk: to a real Kubernetes, a real server, and two real operators.

What people have made in Coder, and what a deletion was told to leave there, is noted here, since nothing else could
tell it from a leak. What must be true of it all, `oracle` says.
"""

from __future__ import annotations

import itertools
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import httpx2

from coder_enterprise.kinds.machinery.resource import ROTATE_TOKEN_AT
from coder_enterprise.server.services.license_tokens import payload_of
from tests.faults.walks.steps import DEPLOYMENTS, GROUPS, OPERATORS, PEOPLE, PROXIES, SLOTS, USERS, Step
from tests.support.kubernetes import Namespace, Refused
from tests.support.manifests import API_VERSION, Body, deployment, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.processes import Process
from tools.server_process import CoderServer, license_for_tests

TOKEN: Final = "coder-token"
WRONG_TOKEN: Final = "abcdefghij-0123456789012345678901"
BY_HAND: Final = "By hand"
LOST: Final = 1
"""The exit code when another replica may have taken over; Kubernetes would start it anew."""


class World:
    """A context manager."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.space = namespace
        self.server = CoderServer(profile="codersdk", licensed=False)
        self.log = folder / "operators.log"
        self.operators: dict[str, Process | None] = dict.fromkeys(OPERATORS)
        self.made: dict[str, Body] = {}
        """Groups that people made, by id, as they left them."""
        self.left: set[tuple[str, str]] = set()
        """Kinds and names in Coder that a deletion may have left there."""
        self.kept: dict[str, tuple[str, str]] = {}
        """Kinds and names, by id, of what a deletion must have left there."""
        self.licences = {name: license_for_tests() for name in ("base", "first", "second")}
        self.adopting = False
        """Groups may have been adopted."""
        self.drifted = False
        """Since it was last looked at, people have done something in Coder."""
        self._up = True
        self._numbers = itertools.count(1)
        self._started = time.monotonic()

    def __enter__(self) -> World:
        wait_until(self._serves, "the API server serves every kind")
        self.server.start()
        try:
            self.coder = CoderAPI(self.server.url, self.server.token)
            self._furnish()
            self.start_operators()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for name in OPERATORS:
            self.kill_operator(name)
        self.coder.close()
        self.server.close()

    def _furnish(self) -> None:
        for name in PEOPLE[:2]:
            self.coder.create_user(name)
        for name in ("docker", "podman"):
            self.coder.create_template(name)
        self.coder.add_license(self.licences["base"])
        self.coder.create_proxy("legacy")
        self.make_group("ops")
        self.space.apply(*(secret(name, license=self.licences[name]) for name in ("first", "second")))
        self.rotate_token("right")
        self.connect()

    def do(self, step: Step) -> None:
        """What people do may fail, as when the server is down, or when the operator was faster: they leave it."""
        print(f"{time.monotonic() - self._started:7.2f} {step}", flush=True)
        try:
            getattr(self, step.do)(*step.args)
        except httpx2.TransportError:
            if self._up:
                raise
        except httpx2.HTTPStatusError as error:
            if error.response.status_code >= 500:
                raise

    # What users declare

    def declare(self, name: str, number: str) -> None:
        slot = SLOTS[name]
        if self._is_deleting(slot.kind, name):
            return  # it goes, whatever is written into it
        spec = dict.fromkeys(slot.fields()) | slot.specs[int(number)]
        for key, (kind, _) in list(self.kept.items()):
            if kind == slot.kind:
                del self.kept[key]  # it may be somebody's again
        if self.space.find(slot.kind, name) is None:
            spec = {field: value for field, value in spec.items() if value is not None}
        self.space.apply({"apiVersion": API_VERSION, "kind": slot.kind, "metadata": {"name": name}, "spec": spec})

    def set_policy(self, name: str, policy: str, value: str) -> None:
        kind = SLOTS[name].kind
        if self.space.find(kind, name) is None:
            return
        self.adopting = self.adopting or (kind == GROUPS and value.startswith("Adopt"))
        self.space.patch(kind, name, {"spec": {policy: {"True": True, "False": False}.get(value, value)}})

    def delete(self, name: str) -> None:
        kind = SLOTS[name].kind
        found = self.space.find(kind, name)
        if found is None:
            return
        spec, status = found["spec"], found.get("status", {})
        stays = stays_in_coder(found)
        if stays or self.space.find(DEPLOYMENTS, "coder") is None:
            self._leave(kind, name)
        if stays and kind == GROUPS and status.get("id") in {group["id"] for group in self._groups()}:
            self.kept[status["id"]] = (kind, status["name"])
        if kind == USERS and spec.get("onDelete") != "Delete":
            self._leave(kind, name)
        self.space.delete(kind, name)

    def connect(self) -> None:
        if not self._is_deleting(DEPLOYMENTS, "coder"):
            self.space.apply(deployment(self.server.url))

    def disconnect(self) -> None:
        if self.space.find(DEPLOYMENTS, "coder") is None:
            return
        for name, slot in SLOTS.items():
            if self._is_deleting(slot.kind, name):
                self._leave(slot.kind, name)
        self.space.delete(DEPLOYMENTS, "coder")

    def _leave(self, kind: str, name: str) -> None:
        names = {spec.get("name", name) for spec in SLOTS[name].specs}
        self.left |= {(kind, each) for each in names}

    def _is_deleting(self, kind: str, name: str) -> bool:
        found = self.space.find(kind, name)
        return found is not None and "deletionTimestamp" in found["metadata"]

    # Secrets

    def rotate_token(self, what: str) -> None:
        if what == "missing":
            if self.space.find("Secret", TOKEN):
                self.space.delete("Secret", TOKEN)
            return
        token = self.server.token
        if what == "another":
            token = self.coder.create_token("admin")
        elif what == "wrong":
            token = WRONG_TOKEN
        self.space.apply(secret(TOKEN, token=token))

    def rotate_licence(self, name: str, what: str) -> None:
        if what == "missing":
            if self.space.find("Secret", name):
                self.space.delete("Secret", name)
            return
        self.licences[name] = license_for_tests()
        self.space.apply(secret(name, license=self.licences[name]))

    def rotate_proxy_token(self, what: str) -> None:
        if what == "missing":
            if self.space.find("Secret", "eu-token"):
                self.space.delete("Secret", "eu-token")
        elif self.space.find(PROXIES, "eu"):
            annotations = {ROTATE_TOKEN_AT: str(next(self._numbers))}
            self.space.patch(PROXIES, "eu", {"metadata": {"annotations": annotations}})

    # What people do in Coder

    def make_group(self, name: str) -> None:
        if self.coder.find_group(name) is None:
            self.coder.create_group(name, display_name=BY_HAND)
            self._note(name)

    def drift_group(self, name: str, what: str) -> None:
        found = self.coder.find_group(name)
        if found is None:
            return
        self.drifted = True
        self.kept.pop(found["id"], None)
        if what == "delete":
            self.coder.delete_group(found["id"])
        elif what == "empty":
            self.coder.patch_group(found["id"], remove_users=[member["id"] for member in found["members"]])
        else:
            self.coder.patch_group(found["id"], display_name="Drifted", quota_allowance=77)
        if found["id"] in self.made and what != "delete":
            self._note(name)

    def _note(self, name: str) -> None:
        found = self.coder.group(name)
        self.made[found["id"]] = found

    def drift_user(self, what: str) -> None:
        found = self.coder.find_user("dora")
        if found is None:
            return
        self.drifted = True
        if what == "delete":
            self.coder.delete_user(found["id"])
        elif what == "suspend":
            self.coder.suspend_user(found["id"])
        else:
            self.coder.set_roles(found["id"], "template-admin")

    def person(self, name: str, what: str) -> None:
        found = self.coder.find_user(name)
        self.drifted = True
        if what == "come" and found is None:
            self.coder.create_user(name)
        elif what == "go" and found is not None:
            self.coder.delete_user(found["id"])

    def drift_acl(self) -> None:
        self.drifted = True
        everyone = self.coder.user("admin")["organization_ids"][0]
        who = self.coder.find_user("bob")
        users = {who["id"]: "admin"} if who else {}
        self.coder.patch_acl(self.coder.template("docker")["id"], group_perms={everyone: "use"}, user_perms=users)

    def drift_looks(self) -> None:
        self.drifted = True
        self.coder.put_appearance(application_name=BY_HAND, logo_url="/by-hand.png")

    def drift_proxy(self, what: str) -> None:
        found = self.coder.proxies().get("eu")
        if found is None:
            return
        self.drifted = True
        if what == "delete":
            self.coder.delete_proxy(found["id"])
        else:
            self.coder.patch_proxy(found["id"], name="eu", display_name="Drifted", icon="/emojis/1f4a3.png")

    def drift_licence(self, what: str) -> None:
        self.drifted = True
        base = uuid_of(self.licences["base"])
        found = self.coder.licenses()
        if what == "back":
            if base not in [licence["uuid"] for licence in found]:
                self.coder.add_license(self.licences["base"])
            return
        for licence in found:
            if (licence["uuid"] == base) is (what == "theirs"):
                self.coder.delete_license(licence["id"])

    def _groups(self) -> list[Body]:
        try:
            return self.coder.groups()
        except httpx2.HTTPError:
            return []

    # What happens to processes

    def kill_server(self) -> None:
        if self._up:
            self._up = False
            self.server.kill()

    def start_server(self) -> None:
        if not self._up:
            self.server.start()
            self._up = True

    def start_operator(self, name: str) -> None:
        process = self.operators[name]
        if process is not None and process.exit_code is None:
            process.signal(signal.SIGCONT)
            return
        if process is not None:
            assert process.exit_code == LOST, f"operator {name} ended with {process.exit_code}: {process.tail()}"
        command = [sys.executable, "-m", "tests.support.brisk", str(self.space.plane.kubeconfig), self.space.name]
        self.operators[name] = Process(f"operator {name}", command, self.log)

    def start_operators(self) -> None:
        """Those that ended, as Kubernetes does; on a busy machine one may lose its Lease at any time."""
        for name in OPERATORS:
            self.start_operator(name)

    def kill_operator(self, name: str) -> None:
        process = self.operators[name]
        if process is not None:
            process.kill()
        self.operators[name] = None

    def restart_operator(self, name: str, how: str) -> None:
        process = self.operators[name]
        if process is not None and how == "end":
            process.signal(signal.SIGCONT)
            process.signal(signal.SIGTERM)
            process.wait(20)
        self.kill_operator(name)
        self.start_operator(name)

    def pause_operator(self, name: str) -> None:
        """It holds what it holds, does nothing, and goes on when it is started the next time."""
        process = self.operators[name]
        if process is not None and process.exit_code is None:
            process.signal(signal.SIGSTOP)

    def restart_api_server(self) -> None:
        self.space.plane.stop_apiserver()
        self.space.plane.start_apiserver()
        wait_until(self._serves, "the API server serves every kind")

    def _serves(self) -> bool:
        """Of a custom kind, it says that it is busy until it has looked at its storage."""
        try:
            return all(self.space.all(slot.kind) is not None for slot in SLOTS.values())
        except (Refused, httpx2.TransportError):
            return False

    # Time

    def wait(self, milliseconds: str) -> None:
        time.sleep(int(milliseconds) / 1000)

    def repair(self) -> None:
        """All that makes it possible to do what is declared."""
        self.start_server()
        self.rotate_token("right")
        for name in ("first", "second"):
            if self.space.find("Secret", name) is None:
                self.rotate_licence(name, "another")
        if uuid_of(self.licences["base"]) not in [licence["uuid"] for licence in self.coder.licenses()]:
            self.drift_licence("back")
        self.start_operators()
        self.connect()
        if self.drifted:
            self.ask()
        self.drifted = False

    def ask(self) -> None:
        """That all be read again, as a person does who has changed something in Coder."""
        moment = f"{time.time()}"
        for kind, names in ((DEPLOYMENTS, ["coder"]), *((slot.kind, [name]) for name, slot in SLOTS.items())):
            for name in names:
                if self.space.find(kind, name) is not None:
                    self.space.annotate(kind, name, reconcile_requested_at=moment)

    def clear(self) -> None:
        """All objects are deleted."""
        self.repair()
        for name in SLOTS:
            self.delete(name)


def stays_in_coder(body: Body) -> bool:
    """Whether it says that what it stands for is to stay."""
    spec: dict[str, Any] = body["spec"]
    policies = spec.get("deletionPolicy") == "Retain" or spec.get("managementPolicy", "Enforce") != "Enforce"
    return policies or bool(spec.get("suspend"))


def uuid_of(token: str) -> str:
    return str(payload_of(token)["jti"])
