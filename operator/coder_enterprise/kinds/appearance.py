"""CoderAppearance: what a deployment looks like to its users: its name, its logo, and its banners.

There is one of it per deployment, so that one object owns it. The rules of Coder behind it: an update replaces
everything; a server shows defaults, whatever is stored, while the feature is not licensed, and below 2.8 already in the
licence's grace period; from 2.12 there may be several banners, before only one. What cannot be read is neither drift
nor written over.

Banners that begin and end are planned from the time in the observation, and the object is visited when one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import AwareDatetime, Field
from typing_extensions import override

from coder_enterprise.client import records
from coder_enterprise.client.clock import now
from coder_enterprise.client.directory import Snapshot
from coder_enterprise.kinds.base import (
    Action,
    Change,
    Context,
    KindError,
    ManagedKind,
    Observation,
    Verdict,
    waiting,
)
from coder_enterprise.kinds.common import (
    AGE_COLUMNS,
    READY_COLUMNS,
    STATUS_DEFAULT,
    ManagedSpec,
    ManagedStatus,
    ManagementPolicy,
    Picture,
    revisit_in,
    timestamp,
)
from coder_enterprise.kinds.crd import Column, custom_resource_definition
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Names, Resource
from coder_enterprise.kinds.schema import Cel, KindModel

APPEARANCE: Final = "appearance"
"""The feature, and the name and the id of the one thing that all objects of the kind stand for."""
MAX_NAME: Final = 128
MAX_MESSAGE: Final = 1024
MAX_MESSAGES: Final = 6000
"""Characters of all banners together: Coder keeps them in one text of 8192 characters, with markup."""
MAX_BANNERS: Final = 16
MAX_LINKS: Final = 64
# Term by term: to Kubernetes before 1.30, the sum of a mapped list may be beyond all bounds.
_SIZE_OF_MESSAGES: Final = " + ".join(
    f"(size(self.announcementBanners) > {n} ? size(self.announcementBanners[{n}].message) : 0)"
    for n in range(MAX_BANNERS)
)

Color = Annotated[str, Field(max_length=7, pattern=r"^#[0-9A-Fa-f]{6}$")]
Message = Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)]


class ServiceBanner(KindModel):
    enabled: bool = True
    """Default: true. A banner that is switched off is not sent."""
    message: Message | None = None
    """What it says; Markdown."""
    background_color: Color | None = None
    """Such as #a32d2d."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "(has(self.enabled) && !self.enabled) || (has(self.message) && has(self.backgroundColor))",
            "a banner that is enabled needs message and backgroundColor",
        ),
    )


class AnnouncementBanner(KindModel):
    message: Message
    """What it says; Markdown."""
    background_color: Color
    """Such as #a32d2d."""
    enabled: bool = True
    """Default: true."""
    starts_at: AwareDatetime | None = None
    """When it appears, such as 2027-03-01T18:00:00Z. Default: at once."""
    ends_at: AwareDatetime | None = None
    """When it disappears. Default: never."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!has(self.startsAt) || !has(self.endsAt) || self.startsAt < self.endsAt",
            "startsAt must be before endsAt",
            field_path=".startsAt",
        ),
    )

    def is_active(self, moment: datetime) -> bool:
        begun = self.starts_at is None or self.starts_at <= moment
        return self.enabled and begun and (self.ends_at is None or moment < self.ends_at)


class AppearanceSpec(ManagedSpec):
    application_name: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    """What the deployment calls itself; "" is Coder's own name."""
    logo_url: Annotated[
        Picture | None,
        Field(alias="logoURL"),
    ] = None
    """Picture: an http(s) URL, or a path on the deployment such as /emojis/1f680.png; "" is Coder's own."""
    service_banner: ServiceBanner | None = None
    """The one banner on top of each page."""
    announcement_banners: Annotated[tuple[AnnouncementBanner, ...], Field(max_length=MAX_BANNERS)] | None = None
    """Exactly these banners, each for its time, from top to bottom. Below Coder 2.12 only the first that is active is
    shown. [] is none."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "!(has(self.serviceBanner) && has(self.announcementBanners))",
            "serviceBanner and announcementBanners exclude each other",
            field_path=".serviceBanner",
        ),
        Cel(
            f"!has(self.announcementBanners) || {_SIZE_OF_MESSAGES} <= {MAX_MESSAGES}",
            f"the messages have more than {MAX_MESSAGES} characters together, which is more than Coder keeps",
            field_path=".announcementBanners",
        ),
        *ManagedSpec.cel,
    )

    def active_banners(self, moment: datetime) -> tuple[records.Banner, ...] | None:
        """What Coder is to show then; None where banners are left alone."""
        if self.announcement_banners is not None:
            shown = [banner for banner in self.announcement_banners if banner.is_active(moment)]
            return tuple(_banner(banner.message, banner.background_color) for banner in shown)
        if self.service_banner is None:
            return None
        banner = self.service_banner
        return (_banner(banner.message or "", banner.background_color or ""),) if banner.enabled else ()

    def next_transition(self, moment: datetime) -> datetime | None:
        """When a banner next appears or disappears."""
        declared = [banner for banner in self.announcement_banners or () if banner.enabled]
        times = [time for banner in declared for time in (banner.starts_at, banner.ends_at)]
        return min((time for time in times if time is not None and time > moment), default=None)


class AppearanceStatus(ManagedStatus):
    id: Annotated[str, Field(max_length=16)] | None = None
    """appearance: there is only one per deployment."""
    active_banners: (
        Annotated[tuple[Annotated[str, Field(max_length=MAX_MESSAGE)], ...], Field(max_length=MAX_BANNERS)] | None
    ) = None
    """What the banners say that Coder shows now."""
    support_links: (
        Annotated[tuple[Annotated[str, Field(max_length=MAX_NAME)], ...], Field(max_length=MAX_LINKS)] | None
    ) = None
    """Names of the links in Coder's menu: a setting of the server, only shown here."""
    next_transition: datetime | None = None
    """When a banner next appears or disappears."""
    unmanaged_fields: Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(max_length=4)] | None = None
    """What is set in Coder and left alone, because spec does not declare it."""


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


_FIELDS: Final = (
    ("application_name", "applicationName"),
    ("logo_url", "logoURL"),
)
_BANNERS: Final = ("serviceBanner", "announcementBanners")


class AppearanceKind(ManagedKind[AppearanceSpec, ObservedAppearance]):
    names = Names("CoderAppearance", "coderappearances", "coderappearance", "coderlook")
    things = "appearance"
    spec_model = AppearanceSpec
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
        appearance = await _shared(context).get(now() if fresh else float("-inf"))
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
        changes = []
        for field, name in _FIELDS:
            wanted, current = getattr(desired, field), getattr(observed.appearance, field)
            if wanted is not None and wanted != current:
                changes.append(Change(Action.UPDATE, f"spec.{name}", current, wanted))
        banners, shown = observed.wanted(desired), observed.shown
        if banners is not None and banners != shown:
            name = _BANNERS[desired.service_banner is None]
            changes.append(Change(Action.UPDATE, f"spec.{name}", _rendered(shown), _rendered(banners)))
        return changes

    @override
    async def apply(
        self, context: Context, desired: AppearanceSpec, observed: ObservedAppearance, changes: Sequence[Change]
    ) -> ObservedAppearance:
        values = {field: value for field, _ in _FIELDS if (value := getattr(desired, field)) is not None}
        wanted = observed.appearance.model_copy(update=values)
        active = desired.active_banners(observed.now)
        if active is not None:
            # All of them, also to a server that shows only one: it may be updated.
            wanted = _with_banners(wanted, active)
        answer = await _put(context, observed.appearance, wanted)
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
            current = await _read(context)
        except KindError:
            if resource.status.get("unmanagedFields"):
                return  # what others have set cannot be read, so that a write would clear it
            current = records.Appearance()
            await _put(context, current, current)
            return
        values = {field: "" for field, name in _FIELDS if resource.spec.get(name) is not None}
        wanted = current.model_copy(update=values)
        if any(resource.spec.get(name) is not None for name in _BANNERS):
            wanted = _with_banners(wanted, ())
        if wanted != current:
            await _put(context, current, wanted)


def _banner(message: str, color: str) -> records.Banner:
    return records.Banner(enabled=True, message=message, background_color=color)


def _messages(banners: Sequence[records.Banner]) -> tuple[str, ...]:
    """As status holds them."""
    return tuple(banner.message[:MAX_MESSAGE] for banner in banners)


def _rendered(banners: Sequence[records.Banner]) -> str:
    return " | ".join(f"{banner.background_color} {banner.message}" for banner in banners)


def _unmanaged(desired: AppearanceSpec, appearance: records.Appearance) -> list[str]:
    found = [name for field, name in _FIELDS if getattr(desired, field) is None and getattr(appearance, field)]
    declared = desired.service_banner is not None or desired.announcement_banners is not None
    return [*found, "banners"] if appearance.banners and not declared else found


def _with_banners(appearance: records.Appearance, banners: Sequence[records.Banner]) -> records.Appearance:
    """In both forms: each version of Coder reads its own."""
    first = banners[0] if banners else records.Banner()
    return appearance.model_copy(update={"service_banner": first, "announcement_banners": tuple(banners)})


# Coder


def _shared(context: Context) -> Snapshot[records.Appearance]:
    return context.directory.shared(APPEARANCE, lambda: _read(context))


async def _read(context: Context) -> records.Appearance:
    """What is stored. Raises `KindError` where the server does not show it."""
    appearance = await context.client.appearance.get()
    if not appearance.is_default:
        return appearance
    # Never set, or not shown. Only an entitlement that was there before the second look tells the two apart.
    entitlements = await context.client.deployment.entitlements()
    feature = entitlements.features.get(APPEARANCE)
    level = feature.entitlement if feature and feature.enabled else "not_entitled"
    if level == "entitled" or (level == "grace_period" and appearance.has_announcements):
        return await context.client.appearance.get()
    why = "in the licence's grace period" if level == "grace_period" else "without a licence for it"
    raise waiting(
        Reason.NOT_ENTITLED,
        f"this server may hide its appearance {why} ({APPEARANCE}), so that it is neither compared nor written; "
        "add a licence",
    )


async def _put(context: Context, known: records.Appearance, wanted: records.Appearance) -> records.Appearance:
    announcements = wanted.announcement_banners if known.has_announcements else wanted.banners
    answer = await context.client.appearance.put(wanted.model_copy(update={"announcement_banners": announcements}))
    _shared(context).expire()
    return answer.model_copy(update={"support_links": known.support_links})
