"""What all resources of the API share: errors, and successes that have nothing else to show."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from coder_enterprise.wire.profiles import Shape, View


class WireModel(BaseModel):
    """Unknown fields are ignored, as Coder does. A field with a default is in every answer."""

    model_config = ConfigDict(extra="ignore", json_schema_serialization_defaults_required=True)

    @classmethod
    @override
    def model_construct(  # type: ignore[override]  # pydantic's plugin writes its own signature
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """As pydantic's own, which looks at each field for other names and for what is missing: of a list of rows,
        that takes longer than all that follows. It does so here only where something is missing."""
        if _fields_set is not None or values.keys() != cls.__pydantic_fields__.keys():
            return super().model_construct(_fields_set, **values)
        made = cls.__new__(cls)
        # What a model consists of: https://docs.pydantic.dev/latest/api/base_model/
        put = object.__setattr__
        put(made, "__dict__", values)
        put(made, "__pydantic_fields_set__", set(values))
        put(made, "__pydantic_extra__", None)
        put(made, "__pydantic_private__", None)
        return made


class Validation(WireModel):
    """One field of a request that was refused."""

    field: str
    detail: str


class Response(WireModel):
    """A success that has nothing else to show."""

    message: str
    detail: str = ""
    validations: list[Validation] = Field(default_factory=list)


class SDKResponse(Response):
    """Without what is empty."""

    detail: str = Field(default="", exclude_if=lambda value: not value)
    validations: list[Validation] = Field(default_factory=list, exclude_if=lambda value: not value)


class Envelope(SDKResponse):
    """An error, in both profiles alike."""


RESPONSE: Final[Shape[SDKResponse]] = Shape(View(Response), View(SDKResponse))
