"""What happens in the demo, in order: each chapter does one thing a user would do and waits for its effect.

Called by `python -m tools.demo`, which brings up Kubernetes, Coder's API and the operator.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

from rich.markup import escape

from tools.coder_api import CoderAPI
from tools.demo.screen import Body, Row, Screen
from tools.kubernetes.control_plane import ControlPlane
from tools.server_process import CoderServer, license_for_tests
from tools.wsproxy_process import WorkspaceProxyProcess

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = Path("deploy") / "examples"
DECLARED: Final = ("users", "groups", "template-acls", "appearances", "proxies")
TEMPLATES: Final = ("gpu-workstation", "docker")
EXAMPLE_URL: Final = "https://coder.example.com"
EXAMPLE_TOKEN: Final = "paste-the-session-token-here"  # noqa: S105
EXAMPLE_SCIM_KEY: Final = "paste-the-scim-key-here"
EXAMPLE_LICENSE: Final = "paste-the-licence-here"
PROXY: Final = "sydney"


class Story:
    def __init__(
        self, plane: ControlPlane, server: CoderServer, scim_key: str, coder: CoderAPI, screen: Screen
    ) -> None:
        self._plane = plane
        self._server = server
        self._coder = coder
        self._screen = screen
        self._proxy: WorkspaceProxyProcess | None = None
        self._real = {
            EXAMPLE_URL: server.url,
            EXAMPLE_TOKEN: server.token,
            EXAMPLE_SCIM_KEY: scim_key,
            EXAMPLE_LICENSE: license_for_tests(),
        }

    def tell(self) -> None:
        """Every chapter. Raises `DemoFailed`. What it started runs on until `close`."""
        self._declare()
        self._connect()
        self._license()
        proxy = self._run_proxy()
        self._somebody_appears()
        self._edit()
        self._mistake()
        self._drift()
        self._delete()
        self._stop_proxy(proxy)

    def close(self) -> None:
        """End the workspace proxy, if it runs."""
        if self._proxy is not None:
            self._proxy.close()

    def _declare(self) -> None:
        screen = self._screen
        screen.heading("Declare people, groups, permissions, branding and a proxy, before there is a Coder")
        for name in TEMPLATES:
            self._coder.create_template(name)
        for name in DECLARED:
            self._apply(f"{name}.yaml")
        screen.follow(
            "everything says what it waits for",
            lambda bodies: set(_reasons(bodies).values()) == {"WaitingForDeployment"},
        )

    def _connect(self) -> None:
        screen = self._screen
        screen.heading("Declare the deployment and its token")
        self._apply("token-secret.yaml")
        self._apply("deployment.yaml")
        screen.follow(
            "people are there; the rest says that a licence is missing",
            lambda bodies: (
                _reasons(bodies).get("coder CoderDeployment") == "Connected"
                and _reasons(bodies).get("platform CoderGroup") == "NotEntitled"
                and _reasons(bodies).get("ann CoderUser") == "Applied"
            ),
        )

    def _license(self) -> None:
        screen = self._screen
        screen.heading("Add the licence")
        self._apply("licenses.yaml")
        screen.follow(
            "everything is Ready but the proxy, which nobody runs yet",
            lambda bodies: _waits(bodies) == {f"{PROXY} CoderWorkspaceProxy": "NotRegistered"},
        )
        screen.expect(
            "Coder has the group platform with ann and bob",
            lambda: self._coder.members("platform") == {"ann", "bob"},
        )

    def _run_proxy(self) -> WorkspaceProxyProcess:
        screen = self._screen
        screen.heading("Run the workspace proxy with the token that the operator put into a Secret")
        secret = self._plane.get("secret", f"{PROXY}-token")["data"]
        token = base64.b64decode(secret["CODER_PROXY_SESSION_TOKEN"]).decode()
        proxy = self._proxy = WorkspaceProxyProcess(self._server.url, token, self._server.folder / "proxy.log")
        screen.command("coder-enterprise wsproxy")
        proxy.start()
        screen.follow("everything is Ready", lambda bodies: not _waits(bodies))
        return proxy

    def _somebody_appears(self) -> None:
        screen = self._screen
        screen.heading("Somebody appears in Coder who was declared before")
        self._coder.create_user("zoe")
        screen.say("zoe, whom a group names, logs in for the first time; nobody touches the object.")
        screen.follow(
            "zoe is a member of data-science",
            lambda bodies: _reasons(bodies)["data-science CoderGroup"] == "Applied",
        )

    def _edit(self) -> None:
        screen = self._screen
        screen.heading("Edit an object")
        change = '{"spec": {"displayName": "Platform & Friends"}}'
        screen.command(f"kubectl patch codergroup platform --type merge -p '{change}'")
        self._plane.kubectl("patch", "codergroup", "platform", "--type", "merge", "-p", change)
        screen.expect(
            "Coder shows the new name",
            lambda: bool(self._coder.group("platform")["display_name"] == "Platform & Friends"),
        )

    def _mistake(self) -> None:
        screen = self._screen
        screen.heading("Make a mistake")
        change = '{"spec": {"quotaAllowance": -3}}'
        screen.command(f"kubectl patch codergroup platform --type merge -p '{change}'")
        refused = self._plane.kubectl("patch", "codergroup", "platform", "--type", "merge", "-p", change, check=False)
        screen.say(f"[dim]{escape(refused.stderr.strip())}[/]")
        screen.expect("it is refused, and the message names the field", lambda: "spec.quotaAllowance" in refused.stderr)

    def _drift(self) -> None:
        screen = self._screen
        screen.heading("Change something behind Kubernetes' back")
        group_id = self._coder.group("contractors")["id"]
        self._coder.patch_group(group_id, quota_allowance=5000)
        screen.say("Somebody gives contractors a quota of 5000 through Coder's API; spec says 5.")
        screen.expect(
            "the operator has put it back to 5", lambda: bool(self._coder.group("contractors")["quota_allowance"] == 5)
        )
        screen.command("kubectl get events --field-selector reason=DriftCorrected")
        screen.expect("and says what it found", lambda: bool(self._drift_note()))
        screen.say(f"[dim]{self._drift_note()}[/]")

    def _delete(self) -> None:
        screen = self._screen
        screen.heading("Delete an object")
        screen.command("kubectl delete codergroup contractors")
        self._plane.kubectl("delete", "codergroup", "contractors", "--wait=false")
        screen.follow("the object is gone", lambda bodies: "contractors CoderGroup" not in _reasons(bodies))
        screen.expect("and so is the group in Coder", lambda: self._coder.find_group("contractors") is None)

    def _stop_proxy(self, proxy: WorkspaceProxyProcess) -> None:
        screen = self._screen
        screen.heading("Stop the workspace proxy, and start it again")
        proxy.stop()
        name = f"{PROXY} CoderWorkspaceProxy"
        screen.follow("the proxy is unreachable", lambda bodies: _reasons(bodies)[name] == "ProxyUnreachable")
        proxy.start()
        screen.follow("the proxy is Ready again", lambda bodies: name not in _waits(bodies))

    def _apply(self, name: str) -> None:
        """One of the examples, with the address and the secrets of this run."""
        self._screen.command(f"kubectl apply -f {EXAMPLES / name}")
        text = (ROOT / EXAMPLES / name).read_text()
        for example, real in self._real.items():
            text = text.replace(example, real)
        self._plane.kubectl("apply", "-f", "-", input=text)

    def _drift_note(self) -> str:
        events = self._plane.get("events", "--field-selector", "reason=DriftCorrected")["items"]
        return next((event["message"] for event in events if event["involvedObject"]["name"] == "contractors"), "")


def _reasons(bodies: list[Body]) -> dict[str, str]:
    """Of each object, by name and kind."""
    return {f"{row.name} {row.kind}": row.reason for row in map(Row.of, bodies)}


def _waits(bodies: list[Body]) -> dict[str, str]:
    """Those that are not Ready, with the reason."""
    return {f"{row.name} {row.kind}": row.reason for row in map(Row.of, bodies) if row.ready != "True"}
