"""What must be true of a world in which all is repaired and nothing happens any more.

It remembers no course of events: what is declared, what Coder has and what people have made say what must be. Where two
objects claim one thing, one of them has it. Each function names what is wrong, in words; when none finds anything, the
walk has come so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.faults.walks.steps import ACLS, DEPLOYMENTS, GROUPS, LICENCES, LOOKS, PEOPLE, PROXIES, SLOTS, USERS
from tests.faults.walks.world import World, stays_in_coder, uuid_of
from tests.support.manifests import Body

DONE: Final[dict[str, set[str]]] = {
    GROUPS: {"Applied", "PendingMembers"},
    USERS: {"Applied"},
    ACLS: {"Applied", "PendingSubjects", "WaitingForGroup"},
    LOOKS: {"Applied"},
    LICENCES: {"Applied"},
    PROXIES: {"NotRegistered", "NotChecked"},
}
"""Reasons of Ready with which an object is applied; no proxy ever registers here."""
TAKEN: Final = {"Conflict", "AlreadyExists", "NotIdentical"}
PLANNED: Final = {"Planned", "WaitingForGroup", *TAKEN}


class Sight:
    """Kubernetes and Coder, as they are at one moment."""

    def __init__(self, world: World) -> None:
        self.world = world
        coder, space = world.coder, world.space
        kinds = dict.fromkeys(slot.kind for slot in SLOTS.values())
        self.objects = [body for kind in kinds for body in space.all(kind)]
        self.deployments = space.all(DEPLOYMENTS)
        self.groups = [group for group in coder.groups() if group["name"] != "Everyone"]
        self.users = {user["username"]: user for user in coder.users()}
        self.template = coder.template("docker")["id"]
        self.proxies = coder.proxies()
        self.licences = [licence["uuid"] for licence in coder.licenses()]
        self.looks = coder.appearance()

    def claimants(self, kind: str) -> list[Body]:
        """Those that would change Coder."""
        return [body for body in self.objects if body["kind"] == kind and not _stopped(body)]

    def is_held(self, kind: str, external_id: str, apart_from: Body | None = None) -> bool:
        found = [body for body in self.objects if body["kind"] == kind and body is not apart_from]
        return any(_id(body) == external_id for body in found)


def complaints(world: World) -> list[str]:
    """What is not as it must be."""
    sight = Sight(world)
    return [*_standing(sight), *_objects(sight), *_looks_are_somebodys(sight), *_leaks(sight), *_untouched(sight)]


def leaks(world: World) -> list[str]:
    """The same, when all is deleted."""
    sight = Sight(world)
    still = [f"{_title(body)} is still there: {_ready(body)}" for body in sight.objects]
    secret = ["the Secret of the proxy's token is still there"] if world.space.find("Secret", "eu-token") else []
    return [*still, *secret, *_leaks(sight), *_untouched(sight)]


def _standing(sight: Sight) -> Iterator[str]:
    """Whatever it declares, each object says how it stands, of what it is now."""
    for body in sight.deployments:
        if _reason(body) != "Connected":
            yield f"the CoderDeployment is {_ready(body)}"
    for body in sight.objects:
        generation, told = body["metadata"]["generation"], body["status"]
        if "deletionTimestamp" in body["metadata"]:
            yield f"{_title(body)} is still being deleted: {_ready(body)}"
        elif _ready(body).get("observedGeneration") != generation or not (
            told["observedGeneration"] == generation or body["spec"].get("suspend")
        ):
            yield f"{_title(body)} speaks of an earlier spec than {generation}: {told}"
        elif body["spec"].get("suspend") and _reason(body) != "Suspended":
            yield f"{_title(body)} is suspended, and says {_reason(body)}"
        elif not body["spec"].get("suspend") and _stopped(body) and _reason(body) not in PLANNED:
            yield f"{_title(body)} is only to be compared, and says {_ready(body)}"


def _objects(sight: Sight) -> Iterator[str]:
    """Each that is to be applied is, as far as Coder shows it, or says who has what it declares."""
    look = {GROUPS: _group, USERS: _user, ACLS: _acl, LOOKS: _look, LICENCES: _licence, PROXIES: _proxy}
    for kind, content in look.items():
        for body in sight.claimants(kind):
            for what in content(sight, body) if not _has_lost(sight, body) else ():
                yield f"{_title(body)} {what}; it says {_ready(body)}"


def _has_lost(sight: Sight, body: Body) -> bool:
    """Two objects that were made at the same moment may both have recorded it: then one of the two has it."""
    others = [one for one in sight.objects if one["kind"] == body["kind"] and one is not body and _id(one) == _id(body)]
    holds = any(_stopped(one) or _reason(one) in DONE[one["kind"]] for one in others)
    return _reason(body) == "Conflict" and _id(body) is not None and holds


def _group(sight: Sight, body: Body) -> Iterator[str]:
    spec, name = body["spec"], _name(body)
    there = next((group for group in sight.groups if group["name"] == name), None)
    rivals = [one for one in sight.objects if one["kind"] == GROUPS and one is not body and _name(one) == name]
    if there is None or _id(body) != there["id"]:
        yield from _taken_or_missing(sight, body, there["id"] if there else None, rivals)
        return
    yield from _done(body)
    members = {member["username"] for member in there["members"]}
    declared = set(spec["members"]["users"]) & sight.users.keys()
    if declared != members if spec["members"]["mode"] == "Authoritative" else not declared <= members:
        yield f"has members {sorted(members)} in place of {sorted(declared)}"
    fields = {"displayName": "display_name", "quotaAllowance": "quota_allowance"}
    yield from _fields(spec, there, fields)


def _user(sight: Sight, body: Body) -> Iterator[str]:
    spec, there = body["spec"], sight.users.get("dora")
    if there is None or _id(body) != there["id"]:
        yield from _taken_or_missing(sight, body, there["id"] if there else None, [])
        return
    yield from _done(body)
    roles = {role["name"] for role in there["roles"]}
    if "roles" in spec and set(spec["roles"]) != roles:
        yield f"has the roles {roles}"
    if (spec["state"] == "suspended") is not (there["status"] == "suspended"):
        yield f"is {there['status']}"
    if "quietHours" in spec and not sight.world.coder.schedule("dora").endswith(spec["quietHours"]["schedule"]):
        yield f"has the quiet hours {sight.world.coder.schedule('dora')}"


def _acl(sight: Sight, body: Body) -> Iterator[str]:
    spec, coder = body["spec"], sight.world.coder
    if _id(body) != sight.template:
        if _reason(body) not in TAKEN or spec.get("adoptionPolicy") == "Adopt":
            yield "does not have its template"
        return
    yield from _done(body)
    users, groups = coder.user_roles(sight.template), coder.group_roles(sight.template)
    wanted = {entry["user"]: entry["role"] for entry in spec["users"] if entry["user"] in sight.users}
    if users != wanted:
        yield f"gives users {users} in place of {wanted}"
    if groups.get("Everyone", "none") != spec["everyone"]:
        yield f"gives everyone {groups.get('Everyone')}"
    if "groups" in spec:
        red = next((one for one in sight.objects if one["kind"] == GROUPS and one["metadata"]["name"] == "red"), None)
        name = next((group["name"] for group in sight.groups if red and group["id"] == _id(red)), None)
        given = {group: role for group, role in groups.items() if group != "Everyone"}
        if given != ({name: "use"} if name else {}):
            yield f"gives groups {given}, and red is {name}"


def _look(sight: Sight, body: Body) -> Iterator[str]:
    if _id(body) is None:
        if _reason(body) not in TAKEN:
            yield "has no look, and nobody else"
        return
    yield from _done(body)
    spec, shown = body["spec"], sight.looks
    yield from _fields(spec, shown, {"applicationName": "application_name"})
    if "serviceBanner" in spec and shown["service_banner"].get("message") != spec["serviceBanner"]["message"]:
        yield f"shows the banner {shown['service_banner']}"


def _looks_are_somebodys(sight: Sight) -> Iterator[str]:
    """One of those that want to have it, unless one that is stopped has it, or nobody may adopt what is there."""
    wanting = sight.claimants(LOOKS)
    held = sight.is_held(LOOKS, "appearance")
    first = [body for body in wanting if _reason(body) != "Conflict"]
    refused = all(_reason(body) in TAKEN and body["spec"].get("adoptionPolicy") != "Adopt" for body in first)
    if wanting and not held and not (refused and _is_set(sight.looks)):
        stopped = [one for one in sight.objects if one["kind"] == LOOKS and _stopped(one)]
        if not stopped:
            yield f"nobody has the appearance: {[_ready(body) for body in wanting]}"


def _is_set(looks: Body) -> bool:
    return any(looks.get(field) for field in ("application_name", "logo_url")) or bool(
        looks["service_banner"].get("message")
    )


def _licence(sight: Sight, body: Body) -> Iterator[str]:
    wanted = uuid_of(sight.world.licences[body["spec"]["secretRef"]["name"]])
    if body["status"].get("uuid") != wanted:
        if _reason(body) not in TAKEN or wanted not in sight.licences:
            yield "has not the licence of its Secret"
        return
    yield from _done(body)
    if sight.licences.count(wanted) != 1:
        yield f"is in Coder {sight.licences.count(wanted)} times"


def _proxy(sight: Sight, body: Body) -> Iterator[str]:
    there = sight.proxies.get("eu")
    if there is None or _id(body) != there["id"]:
        yield from _taken_or_missing(sight, body, there["id"] if there else None, [])
        return
    yield from _done(body)
    yield from _fields(body["spec"], there, {"displayName": "display_name", "icon": "icon_url"})
    token = sight.world.space.secret("eu-token").get("CODER_PROXY_SESSION_TOKEN", "")
    if not sight.world.coder.accepts_proxy_token(token):
        yield "has a Secret with a token that Coder does not accept"


def _taken_or_missing(sight: Sight, body: Body, there: str | None, rivals: list[Body]) -> Iterator[str]:
    """It is not this object's: why that may be."""
    if there is None:
        if not rivals:
            yield "is not there"
        elif not any(_stopped(one) for one in rivals):
            yield "is not there, and its rival's neither"
        return
    if _reason(body) not in TAKEN:
        yield f"is another's ({there}), and does not say so"
    own = [group["id"] for group in sight.groups] + [proxy["id"] for proxy in sight.proxies.values()]
    if body["spec"].get("adoptionPolicy") != "Adopt" or _id(body) in own:
        return
    if not rivals and not sight.is_held(body["kind"], there, apart_from=body):
        yield "could be adopted, and is not"


def _leaks(sight: Sight) -> Iterator[str]:
    """All in Coder is people's, an object's, or was to stay; and nothing is there twice."""
    world = sight.world
    for group in sight.groups:
        explained = group["id"] in world.made or (GROUPS, group["name"]) in world.left
        if not explained and not sight.is_held(GROUPS, group["id"]):
            yield f"the group {group['name']} is nobody's"
    names = [group["name"] for group in sight.groups]
    if len(names) != len(set(names)):
        yield f"groups are there twice: {names}"
    for external_id, (kind, name) in world.kept.items():
        if external_id not in [group["id"] for group in sight.groups]:
            yield f"{kind} {name} was to stay, and is gone"
    known = {"admin", "dora", *PEOPLE}
    if not sight.users.keys() <= known:
        yield f"there are users {sorted(sight.users.keys() - known)}"
    dora = sight.users.get("dora")
    if dora and not sight.is_held(USERS, dora["id"]) and (USERS, "dora") not in world.left:
        yield "the user dora is nobody's"
    eu = sight.proxies.get("eu")
    if eu and not sight.is_held(PROXIES, eu["id"]) and (PROXIES, "eu") not in world.left:
        yield "the proxy eu is nobody's"
    yield from _stray_licences(sight)


def _stray_licences(sight: Sight) -> Iterator[str]:
    if any(kind == LICENCES for kind, _ in sight.world.left):
        return
    stopped = [body for body in sight.objects if body["kind"] == LICENCES and stays_in_coder(body)]
    own = {body["status"].get("uuid") for body in sight.objects if body["kind"] == LICENCES}
    stray = set(sight.licences) - own - {uuid_of(sight.world.licences["base"])}
    if stray and not stopped:
        yield f"{len(stray)} licences are nobody's"


def _untouched(sight: Sight) -> Iterator[str]:
    """What people made, and no object may have, is as they left it."""
    there = {group["id"]: group for group in sight.groups}
    for external_id, before in sight.world.made.items():
        if sight.world.adopting and before["name"] != "ops":
            continue
        now = there.get(external_id)
        if now is not None and _plain(now) != _plain(before):
            yield f"the group {before['name']} of other people was changed: {before} to {now}"
    if "ops" not in [group["name"] for group in sight.groups]:
        yield "the group ops of other people is gone"
    if "legacy" not in sight.proxies:
        yield "the proxy legacy of other people is gone"
    if uuid_of(sight.world.licences["base"]) not in sight.licences:
        yield "the licence of other people is gone"
    podman = sight.world.coder.template("podman")["id"]
    if sight.world.coder.user_roles(podman) or set(sight.world.coder.group_roles(podman)) - {"Everyone"}:
        yield "the template podman of other people has an ACL"


def _plain(group: Body) -> Body:
    return {field: group[field] for field in ("name", "display_name", "quota_allowance", "avatar_url")}


def _done(body: Body) -> Iterator[str]:
    if _reason(body) not in DONE[body["kind"]]:
        yield "has what it declares, and does not say so"


def _fields(spec: Body, there: Body, fields: dict[str, str]) -> Iterator[str]:
    for declared, shown in fields.items():
        if declared in spec and there.get(shown) != spec[declared]:
            yield f"has {declared} {there.get(shown)!r} in place of {spec[declared]!r}"


def _stopped(body: Body) -> bool:
    return bool(body["spec"].get("suspend")) or body["spec"].get("managementPolicy", "Enforce") != "Enforce"


def _name(body: Body) -> str:
    return str(body["spec"].get("name", body["metadata"]["name"]))


def _title(body: Body) -> str:
    return f"{body['kind']} {body['metadata']['name']}"


def _id(body: Body) -> Any:
    return body["status"].get("id")


def _ready(body: Body) -> Body:
    conditions = body.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == "Ready"), {})


def _reason(body: Body) -> str:
    return str(_ready(body).get("reason", ""))
