"""Quiet hours and quotas of users."""

from __future__ import annotations

from typing import Any, Final

import pytest

from coder_enterprise.client import errors
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.user.builders import ANN, BERLIN, KIND, Body, People, hours, look, reconcile, spec
from tests.support.scripted import NO_ROUTE, Scripted

HOURS: Final = f"/users/{ANN}/quiet-hours"


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: [body]])
async def test_quiet_hours_are_set_once_and_written_in_single_spaces(
    server: Scripted, people: People, context: Context, wrap: Any
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, wrap(hours()))
    server.answer(HOURS, wrap(hours(BERLIN, timezone="Europe/Berlin")), method="PUT")
    after = await reconcile(context, recorded=ANN, quietHours={"schedule": "CRON_TZ=Europe/Berlin   30 2  * * *"})
    assert people.writes() == [f'PUT {HOURS} {{"schedule":"{BERLIN}"}}']
    assert KIND.plan(spec(quietHours={"schedule": BERLIN}), after, {}) == []
    assert after.trouble is None


async def test_quiet_hours_of_whoever_is_new_are_read_first(server: Scripted, people: People, context: Context) -> None:
    server.answer(HOURS, hours(BERLIN))
    await reconcile(context, quietHours={"schedule": BERLIN})
    assert [write.split()[0] for write in people.writes()] == ["POST"]


async def test_quiet_hours_and_quota_are_read_only_where_they_are_declared(
    server: Scripted, people: People, context: Context
) -> None:
    people.put(ANN, "ann")
    await look(context, fresh=False, recorded=ANN)
    assert server.paths() == ["/users"]


REFUSALS: Final = [(403, {"message": "Not licensed."}), (404, NO_ROUTE)]


@pytest.mark.parametrize(("status", "body"), REFUSALS)
async def test_quiet_hours_without_a_licence_wait_and_the_rest_is_applied(
    server: Scripted, people: People, context: Context, status: int, body: Body
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, body, status=status)
    after = await reconcile(context, recorded=ANN, state="suspended", quietHours={"schedule": BERLIN})
    assert people.writes() == [f"PUT /users/{ANN}/status/suspend"]
    assert isinstance(after.trouble, KindError)
    assert (after.trouble.reason, after.trouble.meaning) == (Reason.NOT_ENTITLED, Meaning.WAITING)


async def test_quiet_hours_that_nobody_may_set_are_not_tried(
    server: Scripted, people: People, context: Context
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, hours(user_can_set=False))
    after = await reconcile(context, recorded=ANN, quietHours={"schedule": BERLIN})
    assert people.writes() == []
    assert after.trouble is not None
    assert "CODER_ALLOW_CUSTOM_QUIET_HOURS" in after.trouble.message


async def test_quiet_hours_that_nobody_may_set_are_fine_where_they_agree(
    server: Scripted, people: People, context: Context
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, hours(BERLIN, user_can_set=False))
    assert (await reconcile(context, recorded=ANN, quietHours={"schedule": BERLIN})).trouble is None


async def test_a_refused_schedule_is_said_in_the_servers_words(
    server: Scripted, people: People, context: Context
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, hours())
    server.answer(HOURS, {"message": "Internal error.", "detail": "unknown zone"}, method="PUT", status=500)
    after = await reconcile(context, recorded=ANN, quietHours={"schedule": BERLIN})
    assert isinstance(after.trouble, errors.ServerError)
    assert "unknown zone" in after.trouble.message


async def test_the_quota_is_shown(server: Scripted, people: People, context: Context) -> None:
    people.put(ANN, "ann")
    server.answer(f"/workspace-quota/{ANN}", {"budget": 10, "credits_consumed": 4})
    seen = await look(context, fresh=False, recorded=ANN, showQuota=True)
    assert KIND.report(spec(showQuota=True), seen, (), {})["quota"] == {"budget": 10, "consumed": 4}


async def test_a_quota_that_is_not_shown_is_left_out(server: Scripted, people: People, context: Context) -> None:
    people.put(ANN, "ann")
    server.answer(f"/workspace-quota/{ANN}", NO_ROUTE, status=404)
    assert (await look(context, fresh=False, recorded=ANN, showQuota=True)).quota is None
