"""Secrets and workloads beside an object: whose they are, and what is written to them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import pytest

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, Gone, KubernetesError
from coder_enterprise.cluster.paths import Collection
from coder_enterprise.controller.beside import Beside
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.kept_secrets import KeptSecrets
from coder_enterprise.controller.leases import LeadershipLost
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import WATCH_LABEL, Key, Resource
from tests.support.manifests import API_VERSION

Body = dict[str, Any]

WORKLOAD: Final[Body] = {"metadata": {"name": "proxy", "labels": {"app": "proxy"}}, "spec": {"replicas": 2}}


class Shelf:
    """In place of `KubernetesClient`: what there is by plural and name, and what was asked."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str, str], Body] = {}
        self.asked: list[str] = []
        self.fault: KubernetesError | None = None
        self.just_before_create: Callable[[], None] = lambda: None
        """What somebody else does then."""

    def put(self, plural: str, name: str, *owners: str, **body: Any) -> None:
        metadata: Body = {"name": name, "uid": f"uid-of-{name}"}
        if owners:
            metadata["ownerReferences"] = [{"uid": uid} for uid in owners]
        self.bodies[plural, "team", name] = {"metadata": metadata, **body}

    async def get(self, collection: Collection, namespace: str, name: str) -> Body:
        if self.fault is not None:
            raise self.fault
        if (collection.plural, namespace, name) not in self.bodies:
            raise Gone(404, "NotFound", "no")
        return self.bodies[collection.plural, namespace, name]

    async def secret(self, namespace: str, name: str) -> dict[str, str] | None:
        self.asked.append(f"secret {namespace}/{name}")
        if self.fault is not None:
            raise self.fault
        return None

    async def create(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> Body:
        name = body["metadata"]["name"]
        self.just_before_create()
        if (collection.plural, namespace, name) in self.bodies:
            raise Conflicted(409, "AlreadyExists", "it exists")
        self.put(collection.plural, name, *(owner["uid"] for owner in body["metadata"]["ownerReferences"]))
        return self.bodies[collection.plural, namespace, name]

    async def apply(self, collection: Collection, namespace: str, body: Mapping[str, Any]) -> Body:
        name = body["metadata"]["name"]
        self.asked.append(f"apply {collection.plural} {namespace}/{name}")
        self.bodies[collection.plural, namespace, name] = {**body, "status": {"readyReplicas": 1}}
        return self.bodies[collection.plural, namespace, name]

    async def delete(self, collection: Collection, namespace: str, name: str) -> None:
        self.asked.append(f"delete {collection.plural} {namespace}/{name}")
        if self.bodies.pop((collection.plural, namespace, name), None) is None:
            raise Gone(404, "NotFound", "no")


class Desk:
    def __init__(self) -> None:
        self.shelf = Shelf()
        self.store = Store(lambda _: (), lambda *_: None)
        self.fenced: list[Key] = []
        self.ours = True
        client = cast("KubernetesClient", self.shelf)
        keepsakes = Keepsakes(self.store, Writer(client, self.store, {}, self.fence), lambda thing: thing.key)
        self.beside = Beside(client, self.store, self.fence, keepsakes, KeptSecrets(client))

    def fence(self, resource: Resource) -> None:
        self.fenced.append(resource.key)
        if not self.ours:
            raise LeadershipLost("another replica works for it")

    def stored(self, plural: str, name: str) -> Body:
        return self.shelf.bodies[plural, "team", name]


def thing(name: str = "one", uid: str = "uid-one") -> Resource:
    body = {"metadata": {"namespace": "team", "name": name, "uid": uid, "resourceVersion": "1"}}
    return Resource.from_body("Thing", body)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_secret_is_written_encoded_labelled_and_owned_by_its_object(desk: Desk) -> None:
    await desk.beside.write_secret(thing(), "token", {"token": "täglich"})
    body = desk.stored("secrets", "token")
    assert (body["apiVersion"], body["kind"], body["type"]) == ("v1", "Secret", "Opaque")
    assert base64.b64decode(body["data"]["token"]).decode() == "täglich"
    assert body["metadata"]["labels"] == {WATCH_LABEL: "true"}, "so that its loss is noticed"
    assert body["metadata"]["ownerReferences"] == [
        {
            "apiVersion": API_VERSION,
            "kind": "Thing",
            "name": "one",
            "uid": "uid-one",
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


async def test_a_secret_that_somebody_makes_at_the_same_moment_stays_his(desk: Desk) -> None:
    desk.shelf.just_before_create = lambda: desk.shelf.put("secrets", "token", data={"token": "aGlz"})
    with pytest.raises(KindError, match="does not belong to this object") as caught:
        await desk.beside.write_secret(thing(), "token", {"token": "mine"})
    assert caught.value.reason is Reason.CONFLICT
    assert desk.stored("secrets", "token")["data"] == {"token": "aGlz"}


async def test_what_is_written_again_is_the_very_one_that_was_looked_at(desk: Desk) -> None:
    desk.shelf.put("secrets", "token", "uid-one")
    await desk.beside.write_secret(thing(), "token", {"token": "new"})
    assert desk.stored("secrets", "token")["metadata"]["uid"] == "uid-of-token"


async def test_a_workload_is_written_as_the_kind_says_and_owned_by_its_object(desk: Desk) -> None:
    applied = await desk.beside.apply_workload(thing(), WORKLOAD)
    body = desk.stored("deployments", "proxy")
    assert (body["apiVersion"], body["kind"], body["spec"]) == ("apps/v1", "Deployment", {"replicas": 2})
    assert body["metadata"]["labels"] == {"app": "proxy"}
    assert body["metadata"]["ownerReferences"][0]["uid"] == "uid-one"
    assert applied["status"] == {"readyReplicas": 1}
    assert "ownerReferences" not in WORKLOAD["metadata"], "what the kind holds is not changed"


async def test_what_is_ours_is_written_again(desk: Desk) -> None:
    desk.shelf.put("secrets", "token", "uid-else", "uid-one")
    await desk.beside.write_secret(thing(), "token", {"token": "x"})
    assert desk.shelf.asked == ["apply secrets team/token"]


@pytest.mark.parametrize("owners", [(), ("uid-else",)])
async def test_what_belongs_to_nobody_or_to_others_is_refused_and_named(desk: Desk, owners: tuple[str, ...]) -> None:
    desk.shelf.put("secrets", "token", *owners)
    desk.shelf.put("deployments", "proxy", *owners)
    for write in (
        desk.beside.write_secret(thing(), "token", {"token": "x"}),
        desk.beside.apply_workload(thing(), WORKLOAD),
    ):
        with pytest.raises(KindError, match=r"team/(token|proxy) exists and does not belong to this object") as caught:
            await write
        assert caught.value.reason == Reason.CONFLICT
        assert "token" not in str(caught.value).replace("team/token", "")
    assert desk.shelf.asked == []


async def test_a_kept_secret_says_whether_label_and_owner_are_there(desk: Desk) -> None:
    assert await desk.beside.kept_secret(thing(), "token", fresh=False) is None
    await desk.beside.write_secret(thing(), "token", {"token": "x"})
    kept = await desk.beside.kept_secret(thing(), "token", fresh=False)
    assert kept is not None
    assert (dict(kept.values), kept.intact) == ({"token": "x"}, True)
    for part in ("labels", "ownerReferences"):
        taken = {key: value for key, value in desk.stored("secrets", "token")["metadata"].items() if key != part}
        desk.shelf.bodies["secrets", "team", "stomped"] = {**desk.stored("secrets", "token"), "metadata": taken}
        kept = await desk.beside.kept_secret(thing(), "stomped", fresh=False)
        assert kept is not None
        assert not kept.intact


async def test_what_has_lost_its_owner_and_nothing_else_is_taken_back(desk: Desk) -> None:
    desk.shelf.put("secrets", "token", data={"token": "eA==", "more": "eA=="})
    await desk.beside.write_secret(thing(), "token", {"token": "x"})
    desk.shelf.put("deployments", "proxy", spec={"replicas": 2, "minReadySeconds": 0})
    await desk.beside.apply_workload(thing(), WORKLOAD)
    for plural, name in (("secrets", "token"), ("deployments", "proxy")):
        assert thing().owns(desk.stored(plural, name))


@pytest.mark.parametrize(("controlled", "replicas"), [(True, 2), (False, 3)], ids=["another's", "differs"])
async def test_what_has_lost_more_than_its_owner_is_not_taken_back(desk: Desk, controlled: bool, replicas: int) -> None:
    desk.shelf.put("deployments", "proxy", spec={"replicas": replicas})
    owner = {"uid": "another", "controller": controlled}
    desk.stored("deployments", "proxy")["metadata"]["ownerReferences"] = [owner]
    with pytest.raises(KindError, match="does not belong to this object"):
        await desk.beside.apply_workload(thing(), WORKLOAD)


async def test_an_object_of_the_same_name_that_came_later_does_not_own_what_the_first_left(desk: Desk) -> None:
    await desk.beside.write_secret(thing(), "token", {"token": "x"})
    with pytest.raises(KindError, match="does not belong"):
        await desk.beside.write_secret(thing(uid="uid-anew"), "token", {"token": "y"})


async def test_each_write_passes_the_fence_of_its_object_and_reads_do_not(desk: Desk) -> None:
    desk.shelf.put("deployments", "own", "uid-one")
    desk.ours = False
    for write in (
        desk.beside.write_secret(thing(), "token", {"token": "x"}),
        desk.beside.apply_workload(thing(), WORKLOAD),
        desk.beside.delete_workload(thing(), "own"),
    ):
        with pytest.raises(LeadershipLost):
            await write
    assert desk.shelf.asked == []
    assert desk.fenced == [thing().key] * 3
    assert await desk.beside.workload(thing(), "own") is not None
    assert await desk.beside.secret(thing(), "token") is None
    assert len(desk.fenced) == 3


async def test_a_workload_is_deleted_when_it_is_ours_and_left_alone_when_not(desk: Desk) -> None:
    desk.shelf.put("deployments", "own", "uid-one")
    desk.shelf.put("deployments", "foreign", "uid-else")
    for name in ("own", "foreign", "missing"):
        await desk.beside.delete_workload(thing(), name)
    assert desk.shelf.asked == ["delete deployments team/own"]


async def test_a_workload_that_goes_while_it_is_deleted_counts_as_deleted(desk: Desk) -> None:
    desk.shelf.put("deployments", "own", "uid-one")
    get = desk.shelf.get

    async def vanishing(collection: Collection, namespace: str, name: str) -> Body:
        body = await get(collection, namespace, name)
        desk.shelf.bodies.clear()
        return body

    desk.shelf.get = vanishing  # type: ignore[method-assign]
    await desk.beside.delete_workload(thing(), "own")


async def test_a_workload_that_is_not_there_is_none_and_one_that_cannot_be_read_an_error(desk: Desk) -> None:
    assert await desk.beside.workload(thing(), "proxy") is None
    desk.shelf.fault = KubernetesError(0, "Unreachable", "no")
    with pytest.raises(KubernetesError):
        await desk.beside.workload(thing(), "proxy")


async def test_secrets_are_read_in_the_namespace_of_the_object_alone(desk: Desk) -> None:
    await desk.beside.secret(thing(), "token")
    assert desk.shelf.asked == ["secret team/token"]


async def test_other_objects_are_found_as_they_are_known(desk: Desk) -> None:
    assert desk.beside.find(thing().key) is None
    desk.store.put(thing())
    assert desk.beside.find(thing().key) == thing()


@pytest.mark.parametrize(("status", "reason"), [(403, Reason.FORBIDDEN), (422, Reason.REFUSED), (400, Reason.REFUSED)])
async def test_what_kubernetes_refuses_needs_a_person(desk: Desk, status: int, reason: Reason) -> None:
    desk.shelf.fault = KubernetesError(status, "No", "not you")
    for look in (desk.beside.secret, desk.beside.workload):
        with pytest.raises(KindError, match=r"team/eu: .*not you") as raised:
            await look(thing(), "eu")
        assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ('User "operator" cannot create resource "secrets"', "allow the operator's service account"),
        ("exceeded quota: small, requested: secrets=1", "raise the ResourceQuota"),
        ("denied by a policy", ""),
    ],
)
async def test_what_to_do_depends_on_who_has_refused(desk: Desk, said: str, advice: str) -> None:
    desk.shelf.fault = KubernetesError(403, "Forbidden", said)
    with pytest.raises(KindError) as raised:
        await desk.beside.kept_secret(thing(), "eu", fresh=False)
    assert advice in raised.value.message
    assert raised.value.message.endswith(said) is not bool(advice)


async def test_what_kubernetes_cannot_do_now_is_no_refusal(desk: Desk) -> None:
    desk.shelf.fault = KubernetesError(500, "InternalError", "etcd is busy")
    with pytest.raises(KubernetesError):
        await desk.beside.secret(thing(), "eu")
