"""Uploaded files, as the API shows them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from coder_enterprise.wire.common import WireModel
from coder_enterprise.wire.profiles import Shape, View


class UploadedFile(WireModel):
    """The field is an id, whatever its name says; so it is in Coder."""

    hash: UUID


FILE_CREATED: Final[Shape[UploadedFile]] = Shape(View(UploadedFile, 201))
FILE_KNOWN: Final[Shape[UploadedFile]] = Shape(View(UploadedFile))
