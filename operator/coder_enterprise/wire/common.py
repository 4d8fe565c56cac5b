"""What all resources of the API share: the envelope that every error, and some successes, come in."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class WireModel(BaseModel):
    """Unknown fields are ignored, as Coder does."""

    model_config = ConfigDict(extra="ignore")


class Validation(WireModel):
    """One field of a request that was refused."""

    field: str
    detail: str


class Response(WireModel):
    message: str
    detail: str = ""
    validations: list[Validation] = []
