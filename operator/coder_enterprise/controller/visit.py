"""One visit to an object that stands for something in Coder: what it declares, and the way there.

Made by the reconcilers, and handed from step to step.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from coder_enterprise.client.errors import OperatorError
from coder_enterprise.kinds.machinery.base import Context, ManagedKind
from coder_enterprise.kinds.machinery.common import BaseSpec, ManagedSpec
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource

SpecT = TypeVar("SpecT", bound=BaseSpec)


class Visit(NamedTuple):
    kind: ManagedKind[Any, Any]
    spec: ManagedSpec
    context: Context
    name: str
    """What it is called in Coder, as the kind tells objects apart."""
    moment: int = 0
    """How much the operator had done by then; `controller.own_work`."""


def parse(model: type[SpecT], resource: Resource) -> SpecT:
    """Raises `KindError` for a spec that admission let through and the kind does not understand, such as one from a
    newer CRD."""
    try:
        return model.model_validate(resource.spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(["spec", *(str(part) for part in first["loc"])])
        raise stalled(Reason.INVALID_SPEC, f"{where}: {first['msg']}") from None


def understood(model: type[SpecT], resource: Resource) -> SpecT | None:
    """None for what `parse` raises for."""
    try:
        return parse(model, resource)
    except OperatorError:
        return None
