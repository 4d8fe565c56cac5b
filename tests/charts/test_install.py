"""One `helm install` with the server: owner, token and connection come out of it, under the rights of the chart."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.support.helm import CHART, RELEASE, WAIT, Helm, values
from tests.support.kubelet import Kubelet
from tests.support.kubernetes import Namespace
from tests.support.waiting import wait_until
from tools import server_process
from tools.coder_api import CoderAPI
from tools.kubernetes.control_plane import ControlPlane
from tools.server_process import KEY_ID, license_for_tests

pytestmark = pytest.mark.cluster

PUBLIC_KEY = base64.b64encode(server_process._KEY.public_key().public_bytes_raw()).decode()
SETTINGS = [
    *values(server__enabled="true", networkPolicy__enabled="true", operator__replicas="2"),
    f"--set-json=server.licenseKeys={json.dumps({KEY_ID: PUBLIC_KEY})}",
]
SECRET = "coder-enterprise-server-owner"
ACCOUNTS = ("coder-enterprise-operator", "coder-enterprise-server")


@dataclass
class Installed:
    namespace: Namespace
    kubelet: Kubelet
    helm: Helm
    output: str

    @property
    def owner(self) -> dict[str, str]:
        """Password and token."""
        return self.namespace.secret(SECRET)

    @property
    def url(self) -> str:
        return f"http://{self.kubelet.address('server')}"


@pytest.fixture(scope="module")
def installed(bare_plane: ControlPlane, helmed: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Installed once for this module, into a namespace that takes only restricted pods; `--wait` has come back."""
    namespace = Namespace(bare_plane)
    namespace.create()
    bare_plane.kubectl("label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted")
    with Kubelet(bare_plane, namespace.name, tmp_path_factory.mktemp("pods")) as kubelet:
        try:
            output = helmed("install", RELEASE, str(CHART), "-n", namespace.name, *WAIT, *SETTINGS)
            yield Installed(namespace, kubelet, helmed, output)
        finally:
            print(kubelet.logs("operator")[-4000:], kubelet.logs("server")[-4000:])
    namespace.close()


def left(namespace: Namespace, kinds: str) -> list[str]:
    return [body["metadata"]["name"] for body in namespace.plane.get(kinds, "-n", namespace.name)["items"]]


def test_it_is_connected(installed: Installed) -> None:
    installed.namespace.wait_for("CoderDeployment", "coder", "Connected")
    identity = installed.namespace.status("CoderDeployment", "coder")["identity"]
    url = f"http://coder-enterprise-server.{installed.namespace.name}.svc"
    assert identity == {"username": "admin", "roles": ["owner"], "url": url}


def test_the_owner_logs_in_with_the_password_of_the_secret(installed: Installed) -> None:
    body = {"email": "admin@example.com", "password": installed.owner["password"]}
    assert httpx2.post(f"{installed.url}/api/v2/users/login", json=body).status_code == 201


def test_a_licence_is_accepted_that_one_of_the_keys_has_signed(installed: Installed) -> None:
    api = CoderAPI(installed.url, installed.owner["token"])
    api.add_license(license_for_tests())
    assert len(api.licenses()) == 1
    api.close()


def test_neither_output_nor_logs_show_a_secret(installed: Installed) -> None:
    shown = installed.output + installed.helm("status", RELEASE, "-n", installed.namespace.name)
    shown += installed.kubelet.logs("operator") + installed.kubelet.logs("server")
    assert [key for key, value in installed.owner.items() if value in shown] == []


def test_the_notes_say_what_to_do_next(installed: Installed) -> None:
    name = installed.namespace.name
    for command in (
        f"helm -n {name} test {RELEASE}",
        f"kubectl -n {name} wait --for=condition=Ready coderdeployment/coder",
        f"kubectl -n {name} port-forward service/coder-enterprise-server 3000:80",
    ):
        assert command in installed.output


def test_helm_test_asks_both_halves(installed: Installed) -> None:
    assert "Phase:          Succeeded" in installed.helm("test", RELEASE, "-n", installed.namespace.name)
    log = installed.kubelet.logs("test")
    assert [line.rsplit(": ", 1)[1] for line in log.splitlines()] == ["ok", "ok"]


def test_two_replicas_share_the_work(installed: Installed) -> None:
    def replicas() -> bool:
        names = [lease["metadata"]["name"] for lease in installed.namespace.all("Lease")]
        return sum("-replica-" in name for name in names) == 2

    wait_until(replicas, "each replica has its Lease")


def test_the_rights_are_enough_and_none_is_a_wildcard(installed: Installed, bare_plane: ControlPlane) -> None:
    installed.namespace.wait_for("CoderDeployment", "coder", "Connected")
    name = installed.namespace.name
    users = {f"system:serviceaccount:{name}:{account}" for account in ACCOUNTS}
    entries = map(json.loads, bare_plane.audit_log.read_text().splitlines())
    asked = [entry for entry in entries if entry["user"].get("username") in users]
    assert [entry["requestURI"] for entry in asked if entry["responseStatus"]["code"] == 403] == []
    assert {"list", "watch", "patch"} <= {entry["verb"] for entry in asked}
    for user in users:
        listed = bare_plane.kubectl("auth", "can-i", "--list", f"--as={user}", "-n", name).stdout
        assert [row for row in listed.splitlines() if "*" in row and not row.startswith(" ")] == []


def test_the_server_may_do_nothing_in_kubernetes(installed: Installed, bare_plane: ControlPlane) -> None:
    user = f"--as=system:serviceaccount:{installed.namespace.name}:coder-enterprise-server"
    answer = bare_plane.kubectl("auth", "can-i", "get", "secrets", "-n", installed.namespace.name, user, check=False)
    assert answer.stdout.strip() == "no"


def test_the_secret_outlives_an_upgrade_and_a_rollback(installed: Installed) -> None:
    before = installed.owner
    options = ("-n", installed.namespace.name, *WAIT)
    installed.helm("upgrade", RELEASE, str(CHART), *options, *SETTINGS, "--set=deployment.resyncInterval=90s")
    assert installed.namespace.get("CoderDeployment", "coder")["spec"]["resyncInterval"] == "90s"
    installed.helm("rollback", RELEASE, "1", *options)
    assert "resyncInterval" not in installed.namespace.get("CoderDeployment", "coder")["spec"]
    assert installed.owner == before
    installed.namespace.wait_for("CoderDeployment", "coder", "Connected")


def test_after_an_uninstall_and_an_install_everything_is_as_before(installed: Installed) -> None:
    before = installed.owner
    headers = {"Coder-Session-Token": before["token"]}
    body = {"email": "ann@example.com", "username": "ann", "password": "s3cr3t-pass-word!"}
    assert httpx2.post(f"{installed.url}/api/v2/users", json=body, headers=headers).status_code == 201
    name = installed.namespace.name
    installed.helm("uninstall", RELEASE, "-n", name, *WAIT)
    wait_until(lambda: installed.namespace.all("Pod") == [], "the pods have ended")
    assert installed.namespace.all("CoderDeployment") == []
    assert left(installed.namespace, "serviceaccount,role,rolebinding,deployment,job,service") == ["default"]
    plane = installed.namespace.plane
    assert plane.get("clusterrole,clusterrolebinding", "-l", f"app.kubernetes.io/name={RELEASE}")["items"] == []
    installed.helm("install", RELEASE, str(CHART), "-n", name, *WAIT, *SETTINGS)
    installed.namespace.wait_for("CoderDeployment", "coder", "Connected")
    assert installed.owner == before
    assert httpx2.get(f"{installed.url}/api/v2/users/ann", headers=headers).status_code == 200
