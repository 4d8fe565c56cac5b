"""What all resources of the API share: the envelope that every error, and some successes, come in."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from coder_enterprise.wire.profiles import Shape, View


class WireModel(BaseModel):
    """Unknown fields are ignored, as Coder does. A field with a default is in every answer."""

    model_config = ConfigDict(extra="ignore", json_schema_serialization_defaults_required=True)


class Validation(WireModel):
    """One field of a request that was refused."""

    field: str
    detail: str


class Response(WireModel):
    """A success that has nothing else to show."""

    message: str
    detail: str = ""
    validations: list[Validation] = Field(default_factory=list)


class Envelope(Response):
    """An error in both profiles, and a success in `codersdk`: without what is empty."""

    detail: str = Field(default="", exclude_if=lambda value: not value)
    validations: list[Validation] = Field(default_factory=list, exclude_if=lambda value: not value)


RESPONSE: Final[Shape[Envelope]] = Shape(View(Response), View(Envelope))
