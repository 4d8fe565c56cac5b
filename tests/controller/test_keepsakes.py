"""What deleted objects leave behind, in the status of their CoderDeployment."""

from __future__ import annotations

from typing import Any, cast

import pytest

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.controller import keepsakes
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.machinery.resource import Key, Resource
from tests.support.engine import TEAM, FakeKubernetes

pytestmark = pytest.mark.looptime

DEPLOYMENT = Key("CoderDeployment", TEAM, "coder")


class Desk:
    def __init__(self) -> None:
        self.kubernetes = FakeKubernetes()
        self.store = Store(lambda _: (), lambda *_: None)
        client = cast("KubernetesClient", self.kubernetes)
        writer = Writer(client, self.store, {"CoderDeployment": "coderdeployments"}, lambda _: None)
        self.keepsakes = Keepsakes(self.store, writer, lambda _: DEPLOYMENT)

    def connect(self) -> None:
        body = self.kubernetes.apply("coderdeployments", "coder")
        self.store.put(Resource.from_body("CoderDeployment", body))

    def left(self) -> dict[str, Any]:
        status = self.kubernetes.objects["coderdeployments", TEAM, "coder"]["status"]
        return {name: entry["id"] for name, entry in status.get("leftBehind", {}).items()}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.connect()
    return desk


def thing(name: str = "one") -> Resource:
    meta = {"namespace": TEAM, "name": name, "uid": name, "resourceVersion": "1"}
    return Resource.from_body("Thing", {"metadata": meta})


async def test_what_was_left_is_found_under_the_name_of_the_object_and_dropped_once(desk: Desk) -> None:
    await desk.keepsakes.put(thing(), "t1")
    await desk.keepsakes.put(thing(), "t1")
    assert (desk.keepsakes.find(thing()), desk.keepsakes.find(thing("two"))) == ("t1", None)
    await desk.keepsakes.drop(thing())
    await desk.keepsakes.drop(thing())
    assert (desk.keepsakes.find(thing()), desk.left()) == (None, {})
    assert len(desk.kubernetes.writes) == 2


async def test_only_the_latest_are_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepsakes, "MAX_LEFT_BEHIND", 2)
    moments = iter(["2026-01-03T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
    monkeypatch.setattr(keepsakes, "timestamp", lambda _: next(moments))
    for name in ("newest", "oldest", "middle"):
        await desk.keepsakes.put(thing(name), name)
    assert set(desk.left().values()) == {"newest", "middle"}


async def test_a_deployment_that_is_gone_keeps_nothing() -> None:
    desk = Desk()
    await desk.keepsakes.put(thing(), "t1")
    await desk.keepsakes.drop(thing())
    assert desk.keepsakes.find(thing()) is None
    assert desk.kubernetes.writes == []
