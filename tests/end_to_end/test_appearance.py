"""CoderAppearance from YAML to Coder and back: a real API server, a real Kubernetes, a real operator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.support.kubernetes import Namespace
from tests.support.manifests import appearance, license_, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer, license_for_tests

BOTH_PROFILES: Final = pytest.mark.parametrize("server", ["documented", "codersdk"], indirect=True)
UNLICENSED: Final = pytest.mark.parametrize("server", ["unlicensed"], indirect=True)
RED: Final = "#a32d2d"

Body = dict[str, Any]


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    """In the wire profile that the test asks for, or without a licence."""
    wanted = getattr(request, "param", "codersdk")
    licensed = wanted != "unlicensed"
    with CoderServer(licensed=licensed, profile=wanted if licensed else "codersdk") as process:
        yield process
        print(process.log.read_text()[-4000:])


def banner(message: str, **fields: Any) -> Body:
    return {"message": message, "backgroundColor": RED, **fields}


def shown(coder: CoderAPI) -> list[str]:
    """What the banners say that users see."""
    found = coder.appearance()
    banners = found.get("announcement_banners", [found["service_banner"]])
    return [item["message"] for item in banners if item["enabled"]]


def applied(namespace: Namespace, **spec: Any) -> None:
    namespace.apply(appearance(**spec))
    namespace.wait_for("CoderAppearance", "looks", "Applied")


@BOTH_PROFILES
def test_name_logo_and_banner_are_applied(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, applicationName="Acme", logoURL="/acme.png", serviceBanner=banner("Hello"))
    found = coder.appearance()
    assert (found["application_name"], found["logo_url"], shown(coder)) == ("Acme", "/acme.png", ["Hello"])
    status = connected.status("CoderAppearance", "looks")
    assert (status["id"], status["activeBanners"]) == ("appearance", ["Hello"])
    assert status["supportLinks"][0] == "Documentation"


def test_several_banners_are_shown_where_coder_can(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, announcementBanners=[banner("One"), banner("Off", enabled=False), banner("Two")])
    assert shown(coder) == ["One", "Two"]
    applied(connected, announcementBanners=[])
    assert shown(coder) == []


@pytest.mark.parametrize("server", ["documented"], indirect=True)
def test_of_several_banners_an_old_coder_shows_the_first_and_that_is_said(
    connected: Namespace, coder: CoderAPI
) -> None:
    applied(connected, announcementBanners=[banner("One"), banner("Two")])
    assert shown(coder) == ["One"]
    assert "one banner" in connected.condition("CoderAppearance", "looks")["message"]


def test_banners_appear_and_disappear_on_time(connected: Namespace, coder: CoderAPI) -> None:
    starts = datetime.now(UTC) + timedelta(seconds=5)
    ends = starts + timedelta(seconds=3)
    times = {"startsAt": starts.isoformat(), "endsAt": ends.isoformat()}
    applied(connected, announcementBanners=[banner("Always"), banner("Maintenance", **times)])
    assert shown(coder) == ["Always"]
    assert connected.status("CoderAppearance", "looks")["nextTransition"] == f"{starts:%Y-%m-%dT%H:%M:%SZ}"
    wait_until(lambda: "Maintenance" in shown(coder), "the banner appears")
    assert timedelta(0) <= datetime.now(UTC) - starts < timedelta(seconds=3)
    wait_until(lambda: "Maintenance" not in shown(coder), "the banner disappears")
    assert timedelta(0) <= datetime.now(UTC) - ends < timedelta(seconds=3)
    wait_until(lambda: "nextTransition" not in connected.status("CoderAppearance", "looks"), "nothing is to come")
    assert "DriftCorrected" not in [event["reason"] for event in connected.events("looks")]


@BOTH_PROFILES
def test_what_is_not_declared_is_left_alone(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, applicationName="Acme")
    hand_made = {"enabled": True, "message": "By hand", "background_color": RED}
    coder.put_appearance(application_name="Acme", logo_url="/hand.png", service_banner=hand_made)
    applied(connected, applicationName="Acme Corporation")
    found = coder.appearance()
    assert (found["application_name"], found["logo_url"]) == ("Acme Corporation", "/hand.png")
    assert shown(coder) == ["By hand"]
    assert connected.status("CoderAppearance", "looks")["unmanagedFields"] == ["logoURL", "banners"]


def test_what_was_set_by_hand_is_refused_with_the_difference(connected: Namespace, coder: CoderAPI) -> None:
    coder.put_appearance(application_name="Theirs")
    connected.apply(appearance(applicationName="Ours"))
    connected.wait_for("CoderAppearance", "looks", "AlreadyExists")
    changes = connected.status("CoderAppearance", "looks")["pendingChanges"]
    assert changes == [{"path": "spec.applicationName", "from": "Theirs", "to": "Ours"}]
    assert coder.appearance()["application_name"] == "Theirs"
    applied(connected, applicationName="Ours", adoptionPolicy="Adopt")
    assert coder.appearance()["application_name"] == "Ours"


def test_a_later_object_gets_a_conflict_until_the_first_is_gone(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, applicationName="First", logoURL="/first.png")
    connected.apply(appearance("second", applicationName="Second", adoptionPolicy="Adopt"))
    conflict = connected.wait_for("CoderAppearance", "second", "Conflict")
    assert f"{connected.name}/looks" in conflict["message"]
    assert coder.appearance()["application_name"] == "First"
    connected.delete("CoderAppearance", "looks")
    connected.wait_for("CoderAppearance", "second", "Applied")
    found = coder.appearance()
    assert (found["application_name"], found["logo_url"]) == ("Second", "")


def test_deleting_puts_back_what_was_declared_and_nothing_else(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, applicationName="Acme", announcementBanners=[banner("Hello")])
    hand_made = [{"enabled": True, "message": "Hello", "background_color": RED}]
    coder.put_appearance(application_name="Acme", logo_url="/hand.png", announcement_banners=hand_made)
    connected.delete("CoderAppearance", "looks")
    connected.wait_until_gone("CoderAppearance", "looks")
    found = coder.appearance()
    assert (found["application_name"], found["logo_url"], shown(coder)) == ("", "/hand.png", [])


def test_retain_leaves_it(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, applicationName="Acme", deletionPolicy="Retain")
    connected.delete("CoderAppearance", "looks")
    connected.wait_until_gone("CoderAppearance", "looks")
    assert coder.appearance()["application_name"] == "Acme"


def test_drift_is_repaired_and_said(connected: Namespace, coder: CoderAPI) -> None:
    applied(connected, applicationName="Acme", announcementBanners=[banner("Hello")], resyncInterval="5s")
    coder.put_appearance(application_name="Acme", logo_url="/hand.png")
    wait_until(lambda: shown(coder) == ["Hello"], "the banner is back")
    assert coder.appearance()["logo_url"] == "/hand.png"
    connected.wait_for_event("looks", "DriftCorrected")


def test_plan_shows_the_difference_and_writes_nothing(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(appearance(serviceBanner=banner("Hello"), managementPolicy="Plan"))
    connected.wait_for("CoderAppearance", "looks", "Planned")
    status = connected.status("CoderAppearance", "looks")
    assert status["pendingChanges"] == [{"path": "spec.serviceBanner", "from": "", "to": f"{RED} Hello"}]
    assert "id" not in status
    assert shown(coder) == []


@UNLICENSED
def test_without_a_licence_nothing_is_written_until_there_is_one(connected: Namespace, coder: CoderAPI) -> None:
    coder.put_appearance(logo_url="/hidden.png")
    connected.apply(appearance(applicationName="Acme", adoptionPolicy="Adopt"))
    connected.wait_for("CoderAppearance", "looks", "NotEntitled")
    connected.apply(secret("licence", license=license_for_tests()), license_())
    connected.wait_for("CoderAppearance", "looks", "Applied")
    found = coder.appearance()
    assert (found["application_name"], found["logo_url"]) == ("Acme", "/hidden.png")


@UNLICENSED
def test_the_licence_may_go_first(connected: Namespace, coder: CoderAPI) -> None:
    connected.apply(secret("licence", license=license_for_tests()), license_())
    applied(connected, applicationName="Acme")
    connected.delete("CoderLicense", "licence")
    connected.wait_for("CoderAppearance", "looks", "NotEntitled")
    connected.delete("CoderAppearance", "looks")
    connected.wait_until_gone("CoderAppearance", "looks")
    coder.add_license(license_for_tests())
    assert coder.appearance()["application_name"] == ""
