"""What may be in the fields of a template, and how what was sent becomes what is kept. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from coder_enterprise.server import names
from coder_enterprise.wire.templates import WEEKDAYS, TemplateSettings

MAX_NAME: Final = 32
MAX_DISPLAY_NAME: Final = 64
MAX_DESCRIPTION: Final = 127
MAX_ICON: Final = 256
MAX_DEPRECATION_MESSAGE: Final = 1024
MAX_MS: Final = 2**63 // 1_000_000
"""Coder counts in nanoseconds, in 64 bits."""
MINUTE_MS: Final = 60_000
MAX_WEEKS: Final = 16
PORT_SHARE_LEVELS: Final = ("owner", "authenticated", "organization", "public")
CORS_BEHAVIORS: Final = ("simple", "passthru")
_ALIASES: Final = {
    "dormant_ttl_ms": "time_til_dormant_ms",
    "delete_ttl_ms": "time_til_dormant_autodelete_ms",
    "template_use_classic_parameter_flow": "use_classic_parameter_flow",
}


def read(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the request sets, by the names of `Template`; days in the order of the week, and no weeks are one week."""
    sent = {_ALIASES.get(name, name): value for name, value in body.items()}
    for name in ("autostop_requirement", "autostart_requirement"):
        if name in sent:
            days = sent[name]["days_of_week"]
            sent[name] = {**sent[name], "days_of_week": sorted(days, key=_position)}
    if "autostop_requirement" in sent:
        sent["autostop_requirement"]["weeks"] = sent["autostop_requirement"]["weeks"] or 1
    return sent


def _position(day: str) -> int:
    return WEEKDAYS.index(day) if day in WEEKDAYS else len(WEEKDAYS)


def merged(known: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {name: sent[name] for name in TemplateSettings.model_fields if name in sent}
    return TemplateSettings.model_validate({**known, **wanted}).model_dump()


def _at_most(length: int) -> Callable[[str], str]:
    return lambda text: "" if len(text) <= length else f"must have at most {length} characters"


def _among(values: tuple[str, ...]) -> Callable[[str], str]:
    return lambda text: "" if text in values else f"must be one of {', '.join(values)}"


def _duration(milliseconds: int) -> str:
    return "" if 0 <= milliseconds <= MAX_MS else f"must be milliseconds, from 0 to {MAX_MS}"


def _off_or_a_minute(milliseconds: int) -> str:
    return _duration(milliseconds) or ("must be 0, or at least one minute" if 0 < milliseconds < MINUTE_MS else "")


def _days(requirement: Mapping[str, Any]) -> str:
    days = requirement["days_of_week"]
    if not set(days) <= set(WEEKDAYS) or len(set(days)) != len(days):
        return f"days_of_week must be different ones of {', '.join(WEEKDAYS)}"
    if not 1 <= requirement.get("weeks", 1) <= MAX_WEEKS:
        return f"weeks must be from 0 to {MAX_WEEKS}"
    return ""


_RULES: Final[Mapping[str, Callable[[Any], str]]] = {
    "name": lambda text: names.name_problem(text, MAX_NAME),
    "display_name": lambda text: names.text_problem(text, MAX_DISPLAY_NAME),
    "description": _at_most(MAX_DESCRIPTION),
    "icon": _at_most(MAX_ICON),
    "default_ttl_ms": _duration,
    "activity_bump_ms": _duration,
    "failure_ttl_ms": _off_or_a_minute,
    "time_til_dormant_ms": _off_or_a_minute,
    "time_til_dormant_autodelete_ms": _off_or_a_minute,
    "autostop_requirement": _days,
    "autostart_requirement": _days,
    "deprecation_message": _at_most(MAX_DEPRECATION_MESSAGE),
    "max_port_share_level": _among(PORT_SHARE_LEVELS),
    "cors_behavior": _among(CORS_BEHAVIORS),
}


def problems_of(sent: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with which field."""
    found = {name: rule(sent[name]) for name, rule in _RULES.items() if name in sent}
    return {name: problem for name, problem in found.items() if problem}
