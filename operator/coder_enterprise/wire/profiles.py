"""The two wire profiles: `documented`, the shapes of the contract page, and `codersdk`, those that Coder's Go SDK and
the Terraform provider read.

Services return the richer of the two; a `Shape`, defined beside the models of its resource, says how an answer looks
in each profile. Nothing else in the server asks which profile it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar, get_args, get_origin

from pydantic import TypeAdapter

T = TypeVar("T")


class Profile(StrEnum):
    DOCUMENTED = "documented"
    CODERSDK = "codersdk"


@dataclass(frozen=True)
class View(Generic[T]):
    """An answer in one profile: its type, its status, and how it is made of what the service returned.

    A model that is derived from the view's own is written with the view's fields alone.
    """

    type: Any
    status: int = 200
    convert: Callable[[T], Any] | None = None
    headers: Callable[[T], Mapping[str, str]] | None = None
    """What travels beside the body."""


class Shape(Generic[T]):
    """One answer in both profiles; without `codersdk` they are the same."""

    def __init__(self, documented: View[T], codersdk: View[T] | None = None) -> None:
        self.documented = documented
        self._views = {Profile.DOCUMENTED: documented, Profile.CODERSDK: codersdk or documented}
        self._adapters: dict[Profile, TypeAdapter[Any]] = {}

    def render(self, profile: Profile, value: T) -> tuple[int, bytes]:
        """Status and JSON."""
        view = self._views[profile]
        shown: Any = view.convert(value) if view.convert else value
        adapter = self._adapters.get(profile)
        is_list = get_origin(view.type) is list
        if adapter is None:
            adapter = self._adapters[profile] = TypeAdapter(get_args(view.type)[0] if is_list else view.type)
        if not is_list:
            return view.status, adapter.dump_json(shown)
        # One by one: no other thread gets its turn while one call writes it all.
        return view.status, b"[" + b",".join(map(adapter.dump_json, shown)) + b"]"

    def headers(self, profile: Profile, value: T) -> Mapping[str, str]:
        view = self._views[profile]
        return view.headers(value) if view.headers else {}
