"""What a deployment looks like: as it is declared, and as old and new servers show it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web
from hypothesis import strategies as st

from coder_enterprise.client import records
from coder_enterprise.kinds.appearance import AppearanceKind, AppearanceSpec
from coder_enterprise.kinds.appearance.kind import ObservedAppearance
from coder_enterprise.kinds.machinery.moments import timestamp
from tests.support.scripted import Asked, Scripted

KIND: Final = AppearanceKind()
NOW: Final = datetime(2027, 3, 1, 12, tzinfo=UTC)
RED: Final = "#a32d2d"
OFF: Final = {"enabled": False}
DEFAULTS: Final = {"application_name": "", "logo_url": "", "service_banner": OFF, "support_links": [{"name": "Docs"}]}
Body = dict[str, Any]


def shown(message: str, color: str = RED) -> Body:
    return {"enabled": True, "message": message, "background_color": color}


def banner(message: str, start: float | None = None, end: float | None = None, **fields: Any) -> Body:
    """`start` and `end` in seconds from NOW."""
    times = {"startsAt": start, "endsAt": end}
    moments = {name: timestamp(NOW + timedelta(seconds=value)) for name, value in times.items() if value is not None}
    return {"message": message, "backgroundColor": RED, **moments, **fields}


def new(*banners: Body, **fields: Any) -> records.Appearance:
    return records.Appearance.model_validate(DEFAULTS | {"announcement_banners": list(banners)} | fields)


def spec(**fields: Any) -> AppearanceSpec:
    return AppearanceSpec.model_validate(fields)


def observed(appearance: records.Appearance, now: datetime = NOW) -> ObservedAppearance:
    return ObservedAppearance(
        external_id=None if appearance.is_default else "appearance", fresh=True, appearance=appearance, now=now
    )


def plan(desired: AppearanceSpec, appearance: records.Appearance, now: datetime = NOW) -> list[str]:
    return [str(change) for change in KIND.plan(desired, observed(appearance, now), {})]


times = st.none() | st.integers(-10_000, 10_000)
banners = st.lists(
    st.builds(
        lambda message, start, length, enabled: banner(
            message, start, None if length is None else (start or 0) + length, enabled=enabled
        ),
        st.sampled_from("ABC"),
        times,
        st.none() | st.integers(1, 5000),
        st.booleans(),
    ),
    max_size=4,
)


def echo(asked: Asked) -> web.Response:
    return web.json_response({key: value for key, value in json.loads(asked.body).items() if key in DEFAULTS})


def sent(server: Scripted) -> Body:
    [body] = [json.loads(asked.body) for asked in server.asked if asked.method == "PUT"]
    return dict(body)
