"""What the chart makes of its values, without a cluster."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from coder_enterprise import __version__
from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.server.serving import DRAIN_TIMEOUT
from tests.support.helm import CHART, RELEASE, Body, Helm, HelmFailed, values
from tools.generate.rbac import chart_rules

EVERYTHING = values(
    server__enabled="true",
    networkPolicy__enabled="true",
    monitoring__serviceMonitor__enabled="true",
)
PODS = {"Deployment", "Job"}


def find(objects: list[Body], kind: str, name: str) -> Body:
    return next(body for body in objects if body["kind"] == kind and body["metadata"]["name"] == name)


def pod_templates(objects: list[Body]) -> dict[str, Body]:
    """What pods are made from, by the name of what makes them."""
    made = {body["metadata"]["name"]: body["spec"]["template"] for body in objects if body["kind"] in PODS}
    return made | {body["metadata"]["name"]: body for body in objects if body["kind"] == "Pod"}


@pytest.fixture(scope="module")
def everything(offline: Helm) -> list[Body]:
    return offline.template(*EVERYTHING)


def test_helm_finds_nothing_to_complain_about(offline: Helm) -> None:
    assert "0 chart(s) failed" in offline("lint", "--strict", str(CHART))


def test_the_chart_is_of_this_release_and_tells_of_every_kind() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    annotations = chart["annotations"]
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert annotations["artifacthub.io/images"].strip().endswith(f":{__version__}")
    told = yaml.safe_load(annotations["artifacthub.io/crds"])
    names = {(crd["kind"], crd["name"], crd["version"]) for crd in told}
    kinds = [kind.crd for kind in KINDS]
    assert names == {
        (crd["spec"]["names"]["kind"], crd["metadata"]["name"], crd["spec"]["versions"][0]["name"]) for crd in kinds
    }


def test_an_upgrade_applies_the_kinds_before_anything_else(offline: Helm) -> None:
    upgraded = offline.template("--is-upgrade")
    hooks = [body for body in upgraded if body["kind"] == "CustomResourceDefinition"]
    annotations = [body["metadata"].pop("annotations") for body in hooks]
    assert {(each["helm.sh/hook"], each["helm.sh/resource-policy"]) for each in annotations} == {
        ("pre-upgrade", "keep")
    }
    assert {hook["metadata"]["name"]: hook for hook in hooks} == {
        kind.crd["metadata"]["name"]: kind.crd for kind in KINDS
    }


def test_an_install_leaves_the_kinds_to_helm_and_an_upgrade_may_be_told_to(offline: Helm) -> None:
    """As hooks of an install they would be deleted and made anew by Argo CD, with all objects."""
    for options in ([], ["--is-upgrade", *values(crds__upgrade="false")]):
        assert [body for body in offline.template(*options) if body["kind"] == "CustomResourceDefinition"] == []


def test_some_namespaces_need_no_cluster_role(offline: Helm) -> None:
    objects = offline.template(*values(watchNamespaces="{team-a,team-b}"))
    assert {body["kind"] for body in objects} & {"ClusterRole", "ClusterRoleBinding"} == set()
    roles = {body["metadata"]["namespace"] for body in objects if body["kind"] == "Role" and _rules(body) == "operator"}
    assert roles == {"team-a", "team-b"}
    arguments = pod_templates(objects)["coder-enterprise-operator"]["spec"]["containers"][0]["args"]
    assert arguments[-2:] == ["--namespace=team-a", "--namespace=team-b"]


def test_nothing_is_granted_but_the_generated_rules(everything: list[Body]) -> None:
    roles = [body for body in everything if body["kind"] in ("Role", "ClusterRole")]
    assert sorted(_rules(role) for role in roles) == ["endOperator", "leases", "operator"]
    assert "*" not in str([role["rules"] for role in roles])


def _rules(role: Body) -> str:
    """The name of the rules that a role grants."""
    granted = _unnamed(role["rules"])
    return next(name for name, rules in chart_rules().items() if _unnamed(rules) == granted)


def _unnamed(rules: list[Body]) -> list[Body]:
    return [{key: value for key, value in rule.items() if key != "resourceNames"} for rule in rules]


def test_only_the_key_of_the_claims_may_be_read_beside_the_leases(everything: list[Body]) -> None:
    role = next(body for body in everything if body["kind"] == "Role" and _rules(body) == "leases")
    (rule,) = (rule for rule in role["rules"] if rule["resources"] == ["secrets"] and rule["verbs"] != ["create"])
    assert (rule["verbs"], rule["resourceNames"]) == (["get", "list", "watch"], ["coder-enterprise-operator-claims"])


def test_the_job_may_delete_the_operator_and_no_other_deployment(everything: list[Body]) -> None:
    rules = find(everything, "Role", "coder-enterprise-uninstall")["rules"]
    assert [rule["resourceNames"] for rule in rules] == [["coder-enterprise-operator"]]


def test_every_container_runs_our_image_with_limits_and_a_read_only_root(everything: list[Body]) -> None:
    templates = pod_templates(everything)
    assert len(templates) == 4
    for template in templates.values():
        (container,) = template["spec"]["containers"]
        assert container["image"] == f"ghcr.io/coder-enterprise-operator/coder-enterprise:{__version__}"
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert template["spec"]["securityContext"]["runAsUser"] > 0
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]


def test_whom_the_pods_run_as_may_be_left_to_the_cluster(offline: Helm) -> None:
    made = pod_templates(offline.template(*values(runAsUser="null", server__enabled="true")))
    for template in made.values():
        assert set(template["spec"]["securityContext"]) == {"runAsNonRoot", "seccompProfile"}


def test_every_pod_listens_on_ipv4_and_ipv6(everything: list[Body]) -> None:
    for name, template in pod_templates(everything).items():
        (container,) = template["spec"]["containers"]
        addresses = [argument.partition("=")[2] for argument in container["args"] if "-address" in argument]
        addresses += [each["value"] for each in container.get("env", ()) if each["name"].endswith("_ADDRESS")]
        for_others = [address for address in addresses if not address.startswith("127.0.0.1:")]
        assert all(address.startswith("[::]:") for address in for_others), name


def test_several_servers_serve_on_until_nothing_is_sent_to_them_and_one_alone_ends_at_once(offline: Helm) -> None:
    postgresql = values(server__enabled="true", server__postgresql__secretName="db", server__shutdownDelaySeconds="7")
    for options, delay in ((postgresql, "7s"), (values(server__enabled="true"), None)):
        pod = pod_templates(offline.template(*options))["coder-enterprise-server"]["spec"]
        environment = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
        assert environment.get("CODER_SHUTDOWN_DELAY") == delay
        assert pod["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert (
        pod_templates(offline.template(*postgresql))["coder-enterprise-server"]["spec"]["terminationGracePeriodSeconds"]
        > 7 + DRAIN_TIMEOUT
    )


def test_a_digest_goes_before_the_tag(offline: Helm) -> None:
    digest = "sha256:" + "a" * 64
    objects = offline.template(*values(image__tag="v9", image__digest=digest))
    images = {template["spec"]["containers"][0]["image"] for template in pod_templates(objects).values()}
    assert images == {f"ghcr.io/coder-enterprise-operator/coder-enterprise@{digest}"}


def test_policies_monitors_and_services_select_pods_that_exist(everything: list[Body]) -> None:
    labels = [template["metadata"]["labels"] for template in pod_templates(everything).values()]
    services = [body["metadata"]["labels"] for body in everything if body["kind"] == "Service"]
    selectors = {
        "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
        "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
        "Service": lambda spec: spec["selector"],
        "ServiceMonitor": lambda spec: spec["selector"]["matchLabels"],
    }
    seen = []
    for body in everything:
        if select := selectors.get(body["kind"]):
            wanted: dict[str, Any] = select(body["spec"])
            among = services if body["kind"] == "ServiceMonitor" else labels
            assert [each for each in among if wanted.items() <= each.items()], body
            seen.append(body["kind"])
    assert len(seen) == 3 + 2 + 3 + 2


def test_monitors_name_ports_of_services_that_lead_to_ports_of_pods(everything: list[Body]) -> None:
    services = [body for body in everything if body["kind"] == "Service"]
    containers = [template["spec"]["containers"][0] for template in pod_templates(everything).values()]
    ports = {port["name"] for container in containers for port in container.get("ports", ())}
    for monitor in (body for body in everything if body["kind"] == "ServiceMonitor"):
        labels = monitor["spec"]["selector"]["matchLabels"].items()
        selected = [service for service in services if labels <= service["metadata"]["labels"].items()]
        led = [port for service in selected for port in service["spec"]["ports"] if port["name"] == "metrics"]
        assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ["metrics"]
        assert len(led) == 1
        assert led[0]["targetPort"] in ports


def test_the_metrics_stay_in_the_cluster_however_the_server_is_exposed(offline: Helm) -> None:
    objects = offline.template(*values(server__enabled="true", server__service__type="LoadBalancer"))
    exposed = [body for body in objects if body["kind"] == "Service" and body["spec"].get("type") == "LoadBalancer"]
    assert [port["name"] for body in exposed for port in body["spec"]["ports"]] == ["http"]


def test_a_network_policy_lets_nobody_out_but_to_what_is_named(offline: Helm) -> None:
    objects = offline.template(
        *values(
            networkPolicy__enabled="true",
            networkPolicy__apiServer__cidrs="{10.0.0.1/32}",
            networkPolicy__coder__cidrs="{192.0.2.0/24}",
        )
    )
    egress = find(objects, "NetworkPolicy", "coder-enterprise-operator")["spec"]["egress"]
    assert [rule.get("to") for rule in egress] == [
        None,
        [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
        [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
    ]
    assert [port["port"] for port in egress[0]["ports"]] == [53, 53]


def test_with_a_certificate_everything_that_asks_the_server_speaks_https(offline: Helm) -> None:
    options = values(
        server__enabled="true",
        server__tls__secretName="server-tls",
        server__service__port="443",
        deployment__caBundleSecretRef__name="server-tls",
    )
    objects = offline.template(*options)
    pod = pod_templates(objects)["coder-enterprise-server"]["spec"]
    (container,) = pod["containers"]
    probes = [container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {probe["scheme"] for probe in probes} == {"HTTPS"}
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["CODER_TLS_ENABLE"] == "true"
    mount = next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "tls")
    assert variables["CODER_TLS_CERT_FILE"] == f"{mount}/tls.crt"
    assert variables["CODER_TLS_KEY_FILE"] == f"{mount}/tls.key"
    assert {"secretName": "server-tls", "defaultMode": 0o440} in [volume.get("secret") for volume in pod["volumes"]]
    url = f"https://coder-enterprise-server.{RELEASE}.svc"
    spec = find(objects, "CoderDeployment", "coder")["spec"]
    assert (variables["CODER_ACCESS_URL"], spec["url"]) == (url, url)
    assert spec["caBundleSecretRef"] == {"name": "server-tls", "key": "ca.crt"}
    (probe,) = find(objects, "Pod", "coder-enterprise-test")["spec"]["containers"]
    assert f"{url}/readyz" in probe["args"]
    assert probe["env"] == [{"name": "SSL_CERT_FILE", "value": "/etc/coder-enterprise/ca/ca.crt"}]


def test_proxies_and_keys_of_the_server_are_set(offline: Helm) -> None:
    options = values(
        server__enabled="true",
        server__trustedProxies__headers="{X-Forwarded-For,X-Real-Ip}",
        server__trustedProxies__origins="{10.0.0.0/8,fd00::/8}",
        server__encryptionKeys__secretName="encryption",
    )
    pod = pod_templates(offline.template(*options))["coder-enterprise-server"]["spec"]
    variables = {each["name"]: each for each in pod["containers"][0]["env"]}
    assert variables["CODER_PROXY_TRUSTED_HEADERS"]["value"] == "X-Forwarded-For,X-Real-Ip"
    assert variables["CODER_PROXY_TRUSTED_ORIGINS"]["value"] == "10.0.0.0/8,fd00::/8"
    reference = variables["CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "encryption", "key": "keys"}


def test_postgresql_needs_no_volume_and_rolls(offline: Helm) -> None:
    objects = offline.template(
        *values(server__enabled="true", server__replicas="2", server__postgresql__secretName="db")
    )
    deployment = find(objects, "Deployment", "coder-enterprise-server")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["type"] == "RollingUpdate"
    variables = {each["name"]: each for each in deployment["template"]["spec"]["containers"][0]["env"]}
    reference = variables["CODER_PG_CONNECTION_URL"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "db", "key": "url"}
    assert "CODER_SQLITE_PATH" not in variables
    assert [body for body in objects if body["kind"] == "PersistentVolumeClaim"] == []


def test_one_server_at_a_time_opens_the_sqlite_file(everything: list[Body]) -> None:
    deployment = find(everything, "Deployment", "coder-enterprise-server")["spec"]
    assert deployment["strategy"]["type"] == "Recreate"
    claim = find(everything, "PersistentVolumeClaim", "coder-enterprise-server-data")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_secret_of_ones_own_is_used_and_none_is_made(offline: Helm) -> None:
    objects = offline.template(*values(server__enabled="true", server__owner__secretName="mine"))
    assert [body for body in objects if body["kind"] == "Secret"] == []
    deployment = find(objects, "CoderDeployment", "coder")
    assert deployment["spec"]["tokenSecretRef"] == {"name": "mine", "key": "token"}


def test_without_the_server_the_named_coder_is_connected(offline: Helm) -> None:
    settings = {
        "deployment__url": "https://coder.example.com",
        "deployment__tokenSecretRef__name": "coder-token",
        "deployment__caBundleSecretRef__name": "ca",
        "deployment__allowedNamespaces": "{team-a}",
        "deployment__resyncInterval": "90s",
    }
    objects = offline.template(
        *values(**settings), '--set-json=deployment.allow=[{"namespaces": ["team-b"], "kinds": ["CoderGroup"]}]'
    )
    assert find(objects, "CoderDeployment", "coder")["spec"] == {
        "url": "https://coder.example.com",
        "tokenSecretRef": {"name": "coder-token", "key": "token"},
        "caBundleSecretRef": {"name": "ca", "key": "ca.crt"},
        "allowedNamespaces": ["team-a"],
        "allow": [{"namespaces": ["team-b"], "kinds": ["CoderGroup"]}],
        "resyncInterval": "90s",
    }
    assert [body["metadata"]["name"] for body in objects if body["kind"] == "Deployment"] == [
        "coder-enterprise-operator"
    ]


@pytest.mark.parametrize(
    ("option", "file", "kind"),
    [("prometheusRule", "alerts.yaml", "PrometheusRule"), ("dashboard", "dashboard.json", "ConfigMap")],
)
def test_alerts_and_dashboard_are_the_files_of_the_chart(
    offline: Helm, tmp_path: Path, option: str, file: str, kind: str
) -> None:
    copy = Path(shutil.copytree(CHART, tmp_path / "chart"))
    enabled = values(**{f"monitoring__{option}__enabled": "true"})
    content = 'groups: [{name: a, rules: [{alert: A, expr: up == 0, annotations: {summary: "{{ $labels.pod }}"}}]}]\n'
    (copy / "files" / file).write_text(content)
    made = next(body for body in offline.template(*enabled, chart=copy) if body["kind"] == kind)
    text = made["data"]["coder-enterprise.json"] if kind == "ConfigMap" else yaml.safe_dump(made["spec"])
    assert yaml.safe_load(text) == yaml.safe_load(content)
    (copy / "files" / file).unlink()
    with pytest.raises(HelmFailed, match=f"this copy of the chart has no files/{file}"):
        offline.template(*enabled, chart=copy)


def test_long_names_stay_within_what_leases_allow(offline: Helm) -> None:
    objects = offline.template(*values(fullnameOverride="a" * 40))
    arguments = pod_templates(objects)[f"{'a' * 40}-operator"]["spec"]["containers"][0]["args"]
    assert [each for each in arguments if each.startswith("--lease-name=")] == [f"--lease-name={'a' * 40}"]
