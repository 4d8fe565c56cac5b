"""Licences, as the API shows them: what they claim, never the licence itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from coder_enterprise.wire.common import Response, SDKResponse, WireModel
from coder_enterprise.wire.profiles import Shape, View


class License(WireModel):
    id: int
    uuid: UUID
    uploaded_at: datetime
    claims: dict[str, Any]
    """Word for word, also those that are not known here."""


class AddLicenseRequest(WireModel):
    license: str = Field(repr=False)


LICENSE_CREATED: Final[Shape[License]] = Shape(View(License, 201))
LICENSES: Final[Shape[list[License]]] = Shape(
    View(list[License]), View(list[License] | None, convert=lambda licenses: licenses or None)
)
ENTITLEMENTS_REFRESHED: Final[Shape[SDKResponse]] = Shape(View(Response, 201), View(SDKResponse))
