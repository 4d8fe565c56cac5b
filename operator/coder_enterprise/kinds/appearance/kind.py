"""CoderAppearance as the controller drives it: observe, plan, apply, report, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from typing_extensions import override

from coder_enterprise.client import records
from coder_enterprise.kinds.appearance.declare import appearance_declarations
from coder_enterprise.kinds.appearance.spec import (
    APPEARANCE,
    MAX_BANNERS,
    MAX_LINKS,
    MAX_MESSAGE,
    MAX_NAME,
    AppearanceSpec,
    AppearanceStatus,
)
from coder_enterprise.kinds.appearance.stored import put_appearance, read_appearance, shared
from coder_enterprise.kinds.machinery.base import Context, ManagedKind, Observation, Verdict
from coder_enterprise.kinds.machinery.changes import Action, Change, Setting, paths_of, updates
from coder_enterprise.kinds.machinery.common import AGE_COLUMNS, READY_COLUMNS, STATUS_DEFAULT, ManagementPolicy
from coder_enterprise.kinds.machinery.crd import Column, custom_resource_definition
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.lookups import read
from coder_enterprise.kinds.machinery.moments import revisit_in, timestamp
from coder_enterprise.kinds.machinery.resource import Names, Resource


@dataclass(frozen=True, kw_only=True)
class ObservedAppearance(Observation):
    appearance: records.Appearance
    now: datetime

    @property
    def shown(self) -> tuple[records.Banner, ...]:
        return tuple(banner for banner in self.appearance.banners if banner.enabled)

    def wanted(self, desired: AppearanceSpec) -> tuple[records.Banner, ...] | None:
        """As many of the active banners as the server can show; None where they are left alone."""
        active = desired.active_banners(self.now)
        return active if active is None or self.appearance.has_announcements else active[:1]


SETTINGS: Final = (
    ("application_name", "applicationName"),
    ("logo_url", "logoURL"),
)
BANNERS: Final = ("serviceBanner", "announcementBanners")


class AppearanceKind(ManagedKind[AppearanceSpec, ObservedAppearance]):
    names = Names("CoderAppearance", "coderappearances", "coderappearance", "coderlook")
    things = "appearance"
    spec_model = AppearanceSpec
    calls = (
        "appearance.get",
        "appearance.put",
        "entitlements.get",
    )
    feature = APPEARANCE
    crd = custom_resource_definition(
        names=names,
        spec=AppearanceSpec,
        status=AppearanceStatus,
        status_default=dict(STATUS_DEFAULT),
        description="What a Coder deployment looks like: its name, its logo, and its banners. One per deployment.",
        columns=(
            *READY_COLUMNS,
            Column("External ID", ".status.id"),
            Column("Name", ".spec.applicationName"),
            Column("Next change", ".status.nextTransition"),
            Column("Banners", ".status.activeBanners", priority=1),
            *AGE_COLUMNS,
        ),
    )

    @override
    def external_name(self, resource: Resource, spec: AppearanceSpec) -> str:
        return APPEARANCE

    @override
    async def identity(self, context: Context, resource: Resource, spec: AppearanceSpec) -> str:
        return APPEARANCE

    @override
    async def observe(
        self, context: Context, resource: Resource, spec: AppearanceSpec, *, fresh: bool
    ) -> ObservedAppearance:
        appearance = await read(shared(context), fresh=fresh)
        observed = ObservedAppearance(
            external_id=None if appearance.is_default else APPEARANCE,
            fresh=fresh,
            appearance=appearance,
            now=datetime.now(UTC),
        )
        banners = observed.wanted(spec)
        recorded = tuple(resource.status.get("activeBanners") or ())
        return replace(observed, moved_on=banners is not None and _messages(banners) != recorded)

    @override
    def plan(self, desired: AppearanceSpec, observed: ObservedAppearance, recorded: Mapping[str, Any]) -> list[Change]:
        changes = updates(
            Setting(f"spec.{name}", getattr(desired, field), getattr(observed.appearance, field))
            for field, name in SETTINGS
        )
        banners, shown = observed.wanted(desired), observed.shown
        if banners is not None and banners != shown:
            name = BANNERS[desired.service_banner is None]
            changes.append(Change(Action.UPDATE, f"spec.{name}", _rendered(shown), _rendered(banners)))
        return changes

    @override
    async def apply(
        self, context: Context, desired: AppearanceSpec, observed: ObservedAppearance, changes: Sequence[Change]
    ) -> ObservedAppearance:
        if not changes:
            return observed
        paths = paths_of(changes)
        values = {field: getattr(desired, field) for field, name in SETTINGS if f"spec.{name}" in paths}
        wanted = observed.appearance.model_copy(update=values)
        if any(f"spec.{name}" in paths for name in BANNERS):
            # All of them, also to a server that shows only one: it may be updated.
            wanted = _with_banners(wanted, desired.active_banners(observed.now) or ())
        answer = await put_appearance(context, observed.appearance, wanted)
        return replace(observed, external_id=APPEARANCE, fresh=True, appearance=answer)

    @override
    def report(
        self,
        desired: AppearanceSpec,
        observed: ObservedAppearance,
        changes: Sequence[Change],
        recorded: Mapping[str, Any],
    ) -> dict[str, Any]:
        # Its owner keeps it also while it is as if nobody had set it, such as between two banners.
        owned = desired.management_policy is ManagementPolicy.ENFORCE
        transition = desired.next_transition(observed.now)
        links = [link.name[:MAX_NAME] for link in observed.appearance.support_links]
        return {
            "id": APPEARANCE if owned else observed.external_id,
            "activeBanners": list(_messages(observed.shown))[:MAX_BANNERS] or None,
            "supportLinks": links[:MAX_LINKS] or None,
            "nextTransition": timestamp(transition) if transition else None,
            "unmanagedFields": _unmanaged(desired, observed.appearance) or None,
        }

    @override
    def verdict(self, desired: AppearanceSpec, observed: ObservedAppearance) -> Verdict:
        transition = desired.next_transition(observed.now)
        hidden = len(desired.active_banners(observed.now) or ()) - len(observed.wanted(desired) or ())
        return Verdict(
            message=f"applied; this version of Coder shows one banner, not the other {hidden}" if hidden else "applied",
            revisit=revisit_in(transition - observed.now) if transition else None,
        )

    @override
    async def delete(self, context: Context, resource: Resource) -> None:
        """Puts back to Coder's defaults what spec manages, and leaves the rest."""
        try:
            current = await read_appearance(context)
        except KindError:
            if resource.status.get("unmanagedFields"):
                return  # what others have set cannot be read, so that a write would clear it
            current = records.Appearance()
            await put_appearance(context, current, current)
            return
        values = {field: "" for field, name in SETTINGS if resource.spec.get(name) is not None}
        wanted = current.model_copy(update=values)
        if any(resource.spec.get(name) is not None for name in BANNERS):
            wanted = _with_banners(wanted, ())
        if wanted != current:
            await put_appearance(context, current, wanted)

    @override
    async def declarations(self, context: Context, names: Mapping[str, str]) -> Sequence[Declaration]:
        return await appearance_declarations(context)


def _messages(banners: Sequence[records.Banner]) -> tuple[str, ...]:
    """As status holds them."""
    return tuple(banner.message[:MAX_MESSAGE] for banner in banners)


def _rendered(banners: Sequence[records.Banner]) -> str:
    return " | ".join(f"{banner.background_color} {banner.message}" for banner in banners)


def _unmanaged(desired: AppearanceSpec, appearance: records.Appearance) -> list[str]:
    found = [name for field, name in SETTINGS if getattr(desired, field) is None and getattr(appearance, field)]
    declared = desired.service_banner is not None or desired.announcement_banners is not None
    return [*found, "banners"] if appearance.banners and not declared else found


def _with_banners(appearance: records.Appearance, banners: Sequence[records.Banner]) -> records.Appearance:
    """In both forms: each version of Coder reads its own."""
    first = banners[0] if banners else records.Banner()
    return appearance.model_copy(update={"service_banner": first, "announcement_banners": tuple(banners)})
