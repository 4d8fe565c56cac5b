"""What happens in the demo, in order: each chapter does one thing a user would do and waits for its effect.

Called by `python -m tools.demo`, which brings up Kubernetes, Coder's API and the operator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.markup import escape

from tools.coder_api import CoderAPI
from tools.demo.screen import Body, Row, Screen
from tools.kubernetes.control_plane import ControlPlane
from tools.server_process import CoderServer

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = Path("deploy") / "examples"
PEOPLE: Final = ("ann", "bob", "cleo")
EXAMPLE_URL: Final = "https://coder.example.com"
EXAMPLE_TOKEN: Final = "paste-the-session-token-here"  # noqa: S105


class Story:
    def __init__(self, plane: ControlPlane, server: CoderServer, coder: CoderAPI, screen: Screen) -> None:
        self._plane = plane
        self._server = server
        self._coder = coder
        self._screen = screen

    def tell(self) -> None:
        """Every chapter. Raises `DemoFailed`."""
        self._declare()
        self._somebody_appears()
        self._edit()
        self._mistake()
        self._drift()
        self._delete()

    def _declare(self) -> None:
        screen = self._screen
        screen.heading("Declare four groups, before there is a deployment they could belong to")
        for name in PEOPLE:
            self._coder.create_user(name)
        screen.say(f"Coder knows {', '.join(PEOPLE)}; zoe, whom a group names, does not exist yet.")
        self._apply("groups.yaml")
        screen.follow(
            "the groups say what they wait for",
            lambda bodies: [Row.of(body).reason for body in bodies] == ["WaitingForDeployment"] * 4,
        )
        screen.heading("Declare the deployment and its token")
        self._apply("token-secret.yaml")
        self._apply("deployment.yaml")
        screen.follow("everything is Ready", lambda bodies: [Row.of(body).ready for body in bodies] == ["True"] * 5)
        screen.expect(
            "Coder has the group platform with ann and bob",
            lambda: self._coder.members("platform") == {"ann", "bob"},
        )

    def _somebody_appears(self) -> None:
        screen = self._screen
        screen.heading("Somebody appears in Coder who was declared before")
        self._coder.create_user("zoe")
        screen.say("zoe logs in for the first time; nobody touches the object.")
        screen.follow("zoe is a member of data-science", lambda bodies: _reason(bodies, "data-science") == "Applied")

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
        screen.follow("the object is gone", lambda bodies: not any(_is_called(body, "contractors") for body in bodies))
        screen.expect("and so is the group in Coder", lambda: self._coder.find_group("contractors") is None)

    def _apply(self, name: str) -> None:
        """One of the examples, with the address and the token of this run."""
        self._screen.command(f"kubectl apply -f {EXAMPLES / name}")
        text = (ROOT / EXAMPLES / name).read_text()
        for example, real in ((EXAMPLE_URL, self._server.url), (EXAMPLE_TOKEN, self._server.token)):
            text = text.replace(example, real)
        self._plane.kubectl("apply", "-f", "-", input=text)

    def _drift_note(self) -> str:
        events = self._plane.get("events", "--field-selector", "reason=DriftCorrected")["items"]
        return next((event["message"] for event in events if event["involvedObject"]["name"] == "contractors"), "")


def _is_called(body: Body, name: str) -> bool:
    return bool(body["metadata"]["name"] == name)


def _reason(bodies: list[Body], name: str) -> str:
    return next((Row.of(body).reason for body in bodies if _is_called(body, name)), "")
