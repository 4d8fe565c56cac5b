"""What becomes of a person who is not declared any more, and who comes back."""

from __future__ import annotations

import pytest

from coder_enterprise.client import errors
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from tests.kinds.user.builders import ANN, BOB, KIND, People, answer_scim, look, reconcile, resource, spec
from tests.support.scripted import Scripted


async def test_whoever_is_not_declared_any_more_is_suspended(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    done = await KIND.delete(context, resource({"id": ANN}))
    assert people.writes() == [f"PUT /users/{ANN}/status/suspend"]
    assert done is not None
    assert "is suspended" in done


async def test_whoever_is_suspended_already_is_left_so(people: People, context: Context) -> None:
    people.put(ANN, "ann", status="suspended")
    await KIND.delete(context, resource({"id": ANN}))
    assert people.writes() == []


async def test_an_object_that_comes_back_lets_in_whom_its_deletion_suspended(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    await KIND.delete(context, resource({"id": ANN}))
    seen = await look(context, fresh=True)
    assert seen.intended, "it needs no adoption"
    after = await reconcile(context)
    assert after.user is not None
    assert after.user.status == "active"
    assert people.writes()[-1] == f"PUT /users/{ANN}/status/activate"
    assert not (await look(context, fresh=True, recorded=ANN)).intended


async def test_whom_an_admin_suspended_before_the_deletion_stays_so(people: People, context: Context) -> None:
    people.put(ANN, "ann", status="suspended")
    await KIND.delete(context, resource({"id": ANN}))
    seen = await look(context, fresh=True)
    assert not seen.intended
    assert KIND.plan(spec(), seen, {}) == []


async def test_whoever_comes_back_as_suspended_is_not_let_in(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    await KIND.delete(context, resource({"id": ANN}))
    seen = await look(context, fresh=True, state="suspended")
    assert seen.intended
    assert KIND.plan(spec(state="suspended"), seen, {}) == []


async def test_what_another_person_left_behind_is_no_proof(people: People, context: Context) -> None:
    people.put(BOB, "bob")
    await KIND.delete(context, resource({"id": BOB}))
    people.put(ANN, "ann", status="suspended")
    assert not (await look(context, fresh=True)).intended


async def test_scim_suspends_whoever_it_made(server: Scripted, people: People, scim: Context) -> None:
    people.put(ANN, "ann")
    answer_scim(server, people)
    await KIND.delete(scim, resource({"id": ANN}, via="SCIM"))
    assert people.users[ANN]["status"] == "suspended"


async def test_a_user_is_deleted_only_when_that_was_declared(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    assert await KIND.delete(context, resource({"id": ANN}, onDelete="Delete")) is None
    assert people.writes() == [f"DELETE /users/{ANN}"]


@pytest.mark.parametrize("on_delete", ["Suspend", "Delete"])
async def test_whoever_is_gone_already_counts_as_deleted(people: People, context: Context, on_delete: str) -> None:
    people.put(ANN, "ann")
    people.deleted.add(ANN)
    await KIND.delete(context, resource({"id": ANN}, onDelete=on_delete))
    assert people.writes() == []


async def test_whoever_took_the_username_of_the_deleted_is_not_touched(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    people.deleted.add(ANN)
    people.put(BOB, "ann", email="bob@example.com")
    await KIND.delete(context, resource({"id": ANN}, onDelete="Delete"))
    assert people.writes() == []
    assert (await look(context, fresh=True, recorded=ANN)).user is None


async def test_whoever_the_token_cannot_see_is_not_known_to_be_gone(people: People, context: Context) -> None:
    people.users["me-id"]["roles"] = []
    people.put(ANN, "ann")
    people.deleted.add(ANN)
    with pytest.raises(KindError, match="may not see all users"):
        await KIND.delete(context, resource({"id": ANN}))


async def test_a_deletion_that_coder_refuses_is_raised(server: Scripted, people: People, context: Context) -> None:
    people.put(ANN, "ann")
    body = {"message": "You cannot delete a user that has workspaces."}
    server.answer(f"/users/{ANN}", body, method="DELETE", status=417)
    with pytest.raises(errors.BadRequest, match="has workspaces"):
        await KIND.delete(context, resource({"id": ANN}, onDelete="Delete"))
