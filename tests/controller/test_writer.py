"""The operator's writes to its own objects: fenced, minimal, and learnt from."""

from __future__ import annotations

from typing import Any, cast

import pytest

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, Gone
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.machinery.resource import CLAIM, FINALIZER, Key, Resource
from tests.support.engine import TEAM, FakeKubernetes

pytestmark = pytest.mark.looptime

KEY = Key("Thing", TEAM, "one")
SCHEMA = {"properties": {"name": {"type": "string", "maxLength": 64}}}


class Desk:
    """A writer with what it writes to."""

    def __init__(self) -> None:
        self.kubernetes = FakeKubernetes()
        self.store = Store(lambda _: (), lambda *_: None)
        self.leads = True
        client = cast("KubernetesClient", self.kubernetes)
        self.writer = Writer(client, self.store, {"Thing": "things"}, self.fence, {"Thing": SCHEMA})

    def fence(self, _: Resource) -> None:
        if not self.leads:
            raise LeadershipLost("lost")

    def thing(self, **spec: Any) -> Resource:
        resource = Resource.from_body("Thing", self.kubernetes.apply("things", "one", **spec))
        self.store.put(resource)
        return resource

    @property
    def meta(self) -> dict[str, Any]:
        return dict(self.kubernetes.objects["things", TEAM, "one"]["metadata"])


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_without_leadership_nothing_is_sent(desk: Desk) -> None:
    thing = desk.thing()
    desk.leads = False
    with pytest.raises(LeadershipLost):
        await desk.writer.status(thing, {"id": "x"})
    with pytest.raises(LeadershipLost):
        await desk.writer.claim(thing, "claim")
    assert desk.kubernetes.writes == []


async def test_what_is_longer_than_status_may_be_is_cut_once(desk: Desk) -> None:
    status = {"name": "x" * 10_000, "id": "1"}
    thing = await desk.writer.status(desk.thing(), status)
    assert thing.status == {"name": f"{'x' * 63}…", "id": "1"}
    writes = len(desk.kubernetes.writes)
    await desk.writer.status(thing, status)
    assert len(desk.kubernetes.writes) == writes


async def test_status_is_written_as_a_difference_and_without_one_not_at_all(desk: Desk) -> None:
    thing = desk.thing()
    desk.kubernetes.objects["things", TEAM, "one"]["status"]["others"] = "kept"
    written = await desk.writer.status(thing, {**thing.status, "id": "x"})
    assert (written.external_id, written.status["others"]) == ("x", "kept")
    assert await desk.writer.status(written, written.status) is written
    assert desk.kubernetes.writes == ["things/one status"]
    assert desk.store.get(KEY) == written


class OlderCRD:
    """Whose status lacks some fields."""

    def __init__(self, desk: Desk) -> None:
        self.lacks = {"memberCount", "health.version"}
        desk.kubernetes.on_stored = self._prune

    def _prune(self, _: str, body: dict[str, Any]) -> None:
        for path in self.lacks:
            above, _, name = path.rpartition(".")
            (body["status"].get(above, {}) if above else body["status"]).pop(name, None)


async def test_what_the_crd_does_not_keep_is_not_written_again_and_again(desk: Desk) -> None:
    crd, fields = OlderCRD(desk), {"memberCount": 3, "health": {"status": "ok", "version": "v2"}, "id": "x"}
    thing = desk.thing()
    written = await desk.writer.status(thing, {**thing.status, **fields})
    assert (written.external_id, written.status["health"]) == ("x", {"status": "ok"})
    assert await desk.writer.status(written, {**written.status, **fields}) is written
    assert desk.kubernetes.writes == ["things/one status"]
    crd.lacks.clear()
    changed = await desk.writer.status(written, {**written.status, **fields, "source": "user"})
    assert changed.status["memberCount"] == 3
    again = await desk.writer.status(changed, {**changed.status, "memberCount": 4})
    assert again.status["memberCount"] == 4


async def test_a_claim_is_finalizer_and_annotation_in_one_write_and_the_second_time_none(desk: Desk) -> None:
    thing = desk.thing()
    claimed = await desk.writer.claim(thing, "uid/one")
    assert (desk.meta["finalizers"], desk.meta["annotations"]) == ([FINALIZER], {CLAIM: "uid/one"})
    assert await desk.writer.claim(claimed, "uid/one") is claimed
    assert desk.kubernetes.writes == ["things/one object"]


async def test_a_claim_on_a_version_that_has_changed_is_refused(desk: Desk) -> None:
    thing = desk.thing()
    desk.kubernetes.apply("things", "one", color="blue")
    with pytest.raises(Conflicted):
        await desk.writer.claim(thing, "uid/one")


async def test_a_release_takes_only_our_finalizer_whatever_has_changed(desk: Desk) -> None:
    thing = await desk.writer.claim(desk.thing(), "uid/one")
    desk.kubernetes.finalize("things", "one", FINALIZER, "others/finalizer")
    await desk.writer.release(thing)
    assert (desk.meta["finalizers"], desk.meta["annotations"]) == (["others/finalizer"], {})


async def test_after_a_status_write_the_reconcile_goes_on_with_the_spec_that_it_read(desk: Desk) -> None:
    thing = desk.thing(color="red")
    desk.kubernetes.apply("things", "one", color="blue")
    written = await desk.writer.status(thing, {**thing.status, "id": "x"})
    assert (written.generation, written.spec, written.external_id) == (1, {"color": "red"}, "x")
    known = desk.store.get(KEY)
    assert known is not None
    assert (known.generation, known.spec) == (2, {"color": "blue"})


async def test_what_is_not_there_any_more_leaves_the_store(desk: Desk) -> None:
    thing = desk.thing()
    desk.kubernetes.delete("things", "one")
    with pytest.raises(Gone):
        await desk.writer.status(thing, {"id": "x"})
    assert desk.store.get(KEY) is None


async def test_the_answer_of_a_successor_is_not_taken_for_the_object(desk: Desk) -> None:
    thing = desk.thing()
    desk.kubernetes.delete("things", "one")
    desk.kubernetes.apply("things", "one")
    with pytest.raises(Gone):
        await desk.writer.status(thing, {"color": "red"})
    assert desk.store.get(KEY) is None, "the watch brings it, as something new"


async def test_an_id_is_never_recorded_on_a_successor_which_could_belong_to_another_deployment(desk: Desk) -> None:
    thing = desk.thing()
    desk.kubernetes.delete("things", "one")
    desk.kubernetes.apply("things", "one")
    with pytest.raises(Gone):
        await desk.writer.status(thing, {**thing.status, "id": "x"})
    assert "id" not in desk.kubernetes.objects["things", TEAM, "one"]["status"]


async def test_releasing_the_last_finalizer_of_an_object_on_its_way_out_forgets_it(desk: Desk) -> None:
    thing = await desk.writer.claim(desk.thing(), "uid/one")
    desk.kubernetes.delete("things", "one")
    await desk.writer.release(thing)
    assert desk.store.get(KEY) is None
    assert len(desk.store) == 0
