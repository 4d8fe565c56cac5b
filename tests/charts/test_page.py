"""The page in the chart: who can reach it, what it is told, and what it may ask."""

from __future__ import annotations

from typing import Any

import pytest

from coder_enterprise.cluster.rules import inspector_rules, page_rules, viewer_rules
from tests.support.helm import Body, Helm, HelmFailed, values

SERVED = {"page__mode": "kubernetes", "page__service__enabled": "true", "page__tls__secretName": "page-tls"}
PROXIED = {
    "page__mode": "proxy",
    "page__service__enabled": "true",
    "page__trustedProxy__addresses": "{10.0.0.0/8,10.1.2.3,fd00::7}",
}


def one(objects: list[Body], kind: str, name: str) -> Any:
    return next(body for body in objects if body["kind"] == kind and body["metadata"]["name"] == name)


def container(objects: list[Body]) -> Any:
    return one(objects, "Deployment", "coder-enterprise-operator")["spec"]["template"]["spec"]["containers"][0]


LOOPBACK = "--page-address=127.0.0.1:8082"


def arguments(objects: list[Body]) -> list[str]:
    return [each for each in container(objects)["args"] if each.startswith("--page")]


def names(objects: list[Body]) -> set[tuple[str, str]]:
    return {(body["kind"], body["metadata"]["name"]) for body in objects}


def test_by_itself_the_page_is_on_loopback_and_brings_no_rights(offline: Helm) -> None:
    objects = offline.template()
    assert arguments(objects) == [LOOPBACK]
    assert [port["name"] for port in container(objects)["ports"]] == ["metrics"]
    assert [name for _, name in names(objects) if "page" in name] == []


def test_it_can_be_left_out(offline: Helm) -> None:
    assert arguments(offline.template(*values(page__enabled="false", page__mode="kubernetes"))) == ["--page-address="]


def test_it_is_told_where_grafana_is(offline: Helm) -> None:
    objects = offline.template(*values(page__grafanaUrl="https://grafana.example.com/g"))
    assert arguments(objects) == [LOOPBACK, "--page-grafana-url=https://grafana.example.com/g"]


@pytest.mark.parametrize("url", ["grafana.example.com", "javascript:alert(1)", "https://a:b@grafana.example.com"])
def test_what_is_no_address_of_grafana_is_refused(offline: Helm, url: str) -> None:
    with pytest.raises(HelmFailed, match="grafanaUrl"):
        offline.template(*values(page__grafanaUrl=url))


def test_who_forwards_a_port_can_be_asked_who_they_are(offline: Helm) -> None:
    objects = offline.template(*values(page__mode="kubernetes", page__actions="true"))
    assert arguments(objects) == [LOOPBACK, "--page-mode=kubernetes", "--page-actions"]
    assert [name for kind, name in names(objects) if kind == "Service" and "page" in name] == []


@pytest.mark.parametrize("options", [SERVED, PROXIED])
def test_the_reviews_are_all_that_the_operator_may_do_more(offline: Helm, options: dict[str, str]) -> None:
    def roles(objects: list[Body]) -> dict[str, Any]:
        return {body["metadata"]["name"]: body["rules"] for body in objects if body["kind"] in ("Role", "ClusterRole")}

    objects = offline.template(*values(**options))
    bound = {body["roleRef"]["name"] for body in objects if body["kind"].endswith("RoleBinding")}
    with_page, without = roles(objects), roles(offline.template())
    (name,) = (with_page.keys() - without.keys()) & bound
    assert with_page[name] == page_rules()
    assert {name: rules for name, rules in with_page.items() if name in without} == without
    assert {each for rule in page_rules() for each in rule["verbs"]} == {"create"}


def test_it_brings_roles_for_people_and_binds_them_to_nobody(offline: Helm) -> None:
    objects = offline.template(*values(page__mode="kubernetes"))
    name = "coder-enterprise:coder-enterprise-page"
    assert one(objects, "ClusterRole", f"{name}-viewer")["rules"] == viewer_rules()
    assert one(objects, "ClusterRole", f"{name}-inspector")["rules"] == inspector_rules()
    bound = {body["roleRef"]["name"] for body in objects if body["kind"].endswith("RoleBinding")}
    assert not bound & {f"{name}-viewer", f"{name}-inspector"}
    assert {verb for rule in viewer_rules() for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_with_a_service_it_listens_for_others_under_tls(offline: Helm) -> None:
    objects = offline.template(*values(**SERVED))
    folder = "/etc/coder-enterprise/page-tls"
    assert arguments(objects) == [
        "--page-address=[::]:8082",
        "--page-mode=kubernetes",
        f"--page-tls-cert={folder}/tls.crt",
        f"--page-tls-key={folder}/tls.key",
    ]
    assert {"name": "page-tls", "mountPath": folder, "readOnly": True} in container(objects)["volumeMounts"]
    pod = one(objects, "Deployment", "coder-enterprise-operator")["spec"]["template"]["spec"]
    assert {"name": "page-tls", "secret": {"secretName": "page-tls", "defaultMode": 0o440}} in pod["volumes"]
    spec = one(objects, "Service", "coder-enterprise-page")["spec"]
    (port,) = spec["ports"]
    assert (port["port"], port["targetPort"], spec["sessionAffinity"]) == (443, "page", "ClientIP")
    assert {"name": "page", "containerPort": 8082, "protocol": "TCP"} in container(objects)["ports"]


def test_a_network_policy_lets_the_proxy_in_and_nobody_else(offline: Helm) -> None:
    objects = offline.template(*values(networkPolicy__enabled="true", **PROXIED))
    ingress = one(objects, "NetworkPolicy", "coder-enterprise-operator")["spec"]["ingress"]
    (rule,) = (each for each in ingress if each["ports"][0]["port"] == "page")
    assert [each["ipBlock"]["cidr"] for each in rule["from"]] == ["10.0.0.0/8", "10.1.2.3/32", "fd00::7/128"]


@pytest.mark.parametrize("options", [{}, {"page__mode": "kubernetes"}])
def test_a_network_policy_lets_nobody_in_where_there_is_no_service(offline: Helm, options: dict[str, str]) -> None:
    objects = offline.template(*values(networkPolicy__enabled="true", **options))
    ingress = one(objects, "NetworkPolicy", "coder-enterprise-operator")["spec"]["ingress"]
    assert [each["ports"][0]["port"] for each in ingress] == ["metrics"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"page__service__enabled": "true"}, "nobody is asked who they are"),
        ({"page__actions": "true"}, "nobody is known whose rights"),
        ({"page__mode": "kubernetes", "page__service__enabled": "true"}, "must not travel in plain text"),
        ({"page__mode": "proxy", "page__trustedProxy__addresses": "{10.0.0.1}"}, "no proxy can reach the page"),
        ({"page__mode": "proxy", "page__service__enabled": "true"}, "page.trustedProxy is empty"),
        ({**PROXIED, "page__actions": "true"}, "under TLS alone"),
        ({**PROXIED, "page__trustedProxy__caSecretName": "ca"}, "under TLS alone"),
        ({"page__trustedProxy__addresses": "{10.0.0.1}"}, "set it to proxy"),
        ({"page__mode": "everybody"}, "/page/mode"),
    ],
)
def test_what_would_show_too_much_or_to_nobody_is_refused(offline: Helm, options: dict[str, str], said: str) -> None:
    with pytest.raises(HelmFailed, match=said):
        offline.template(*values(**options))
