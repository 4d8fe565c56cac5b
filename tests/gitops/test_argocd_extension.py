"""The tab that Argo CD's own pages get, in a real browser, in a page that offers what Argo CD offers to extensions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
import yaml

from coder_enterprise.kinds.machinery.common import STATUS_DEFAULT
from tests.gitops.resource_overrides import DEPLOY
from tests.support.browser import Visitor
from tests.support.command import condition
from tests.support.manifests import Body, group
from tools.kubernetes.archives import locate_file
from tools.kubernetes.control_plane import ControlPlane

HOST: Final = Path(__file__).with_name("argocd_host.html")
FILE: Final = DEPLOY / "extension-coder.js"
GUIDE: Final = "docs/developer-guide/extensions/ui-extensions.md"
SPY: Final = """() => {
  const [one] = registered, { component } = one;
  let handed;
  one.component = (props) => ((handed = Object.keys(props)), React.createElement("p", null));
  show(null);
  one.component = component;
  return handed.filter((name) => name !== "children");
}"""
"""What the host page hands to a component."""
MINUS: Final = "\N{MINUS SIGN}"
HOSTILE: Final = "<img src=x onerror=alert(1)>\u202edeliuf <script>alert(2)</script>"

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def argocd_page(visitor: Visitor) -> Visitor:
    """Argo CD with our extension."""
    await visitor.page.goto(HOST.as_uri())
    # argocd-server puts each extension between these two.
    await visitor.page.add_script_tag(content=f"try {{\n{FILE.read_text()}\n}} catch(e) {{ console.error(e); }}")
    return visitor


def body(*conditions: Body, generation: int = 1, **status: Any) -> Body:
    made = group("platform")
    made["metadata"]["generation"] = generation
    return made | {"status": {"observedGeneration": 1, "conditions": list(conditions), **status}}


async def show(visitor: Visitor, resource: Body | None) -> str:
    """What the tab says."""
    await visitor.page.evaluate("resource => show(resource)", resource)
    return await visitor.page.inner_text("#tab")


async def test_argocd_server_gets_it_beside_what_it_has(control_plane: ControlPlane) -> None:
    server = locate_file("argocd", "manifests/base/server/argocd-server-deployment.yaml")
    patch = ("--patch-file", str(DEPLOY / "extension-patch.yaml"))
    patched = yaml.safe_load(control_plane.kubectl("patch", "--local", "-f", str(server), *patch, "-o", "yaml").stdout)
    before = yaml.safe_load(server.read_text())["spec"]["template"]["spec"]
    after = patched["spec"]["template"]["spec"]
    assert len(after["volumes"]) == len(before["volumes"]) + 1
    mounts = {mount["mountPath"]: mount["name"] for mount in after["containers"][0]["volumeMounts"]}
    assert len(mounts) == len(before["containers"][0]["volumeMounts"]) + 1
    assert mounts["/tmp/extensions/coder"] in {volume["name"] for volume in after["volumes"]}


async def test_the_host_page_offers_what_argo_cd_says_that_it_does(argocd_page: Visitor) -> None:
    guide = locate_file("argocd", GUIDE).read_text()
    (pattern,) = re.findall(r"matches to `(.+?)` regex", guide)
    assert re.search(pattern, FILE.name)
    chapter = guide.partition("## Resource Tab Extensions")[2].partition("\n## ")[0]
    (parameters,) = re.findall(r"registerResourceExtension\((\w+:.*)\)", chapter)
    named = [*re.findall(r"(\w+): ", parameters), *re.findall(r"^- `(opts): ", chapter, re.MULTILINE)]
    offered = await argocd_page.page.evaluate("String(extensionsAPI.registerResourceExtension)")
    assert offered.startswith(f"({', '.join(named)}) =>")
    documented = re.findall(r"^  - (\w+): ", chapter, re.MULTILINE)
    assert sorted(await argocd_page.page.evaluate(SPY)) == sorted(documented)


async def test_it_is_a_tab_of_every_kind_of_ours(argocd_page: Visitor) -> None:
    registered = await argocd_page.page.evaluate(
        "registered.map(({ group, kind, title, icon }) => [group, kind, title, icon])"
    )
    assert registered == [["enterprise.coder.com", "*", "Coder", "fa fa-list-check"]]


async def test_it_shows_the_conditions_with_the_worst_after_ready(argocd_page: Visitor) -> None:
    conditions = (
        condition("Synced", "True", "InSync", "Coder has it"),
        condition("Stalled", "True", "AlreadyExists", "a group of that name exists"),
        condition("Ready", "False", "AlreadyExists", "a group of that name exists"),
    )
    await show(argocd_page, body(*conditions))
    rows = argocd_page.page.locator("tbody tr")
    assert await rows.evaluate_all("rows => rows.map(row => row.children[1].textContent)") == [
        "Ready: False",
        "Stalled: True",
        "Synced: True",
    ]
    assert await argocd_page.violations() == []


async def test_it_shows_what_differs_from_coder(argocd_page: Visitor) -> None:
    changes = [{"path": "spec.displayName", "from": "A", "to": "B"}, {"path": "spec.members.users", "to": "ann"}]
    drifted = condition("Synced", "False", "Drifted", "2 differences")
    await show(argocd_page, body(condition("Ready", "True", "Planned"), drifted, pendingChanges=changes))
    cells = argocd_page.page.locator("table >> nth=1 >> tbody tr")
    assert await cells.evaluate_all("rows => rows.map(row => [...row.children].map(cell => cell.textContent))") == [
        ["spec.displayName", MINUS + " A", "+ B"],
        ["spec.members.users", "nothing", "+ ann"],
    ]


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (None, "has not seen this object yet"),
        (group("new"), "has not seen this object yet"),
        (group("new") | {"status": dict(STATUS_DEFAULT)}, "Waiting for the operator"),
        (body(condition("Ready", "True", "Applied"), generation=2), "has not seen the newest spec yet"),
        (body(condition("Ready", "True", "Applied"), id="3a5e2f07"), "In Coder: 3a5e2f07"),
        (body(condition("Synced", "True", "InSync")), "None that wait to be applied."),
        (body(condition("Synced", "Unknown", "Suspended")), "Not known, or not shown"),
    ],
)
async def test_it_says(argocd_page: Visitor, resource: Body | None, said: str) -> None:
    assert said in await show(argocd_page, resource)


async def test_what_others_wrote_is_text(argocd_page: Visitor) -> None:
    changes = [{"path": HOSTILE, "from": HOSTILE, "to": "x" * 2000}]
    said = await show(argocd_page, body(condition("Ready", "False", HOSTILE, HOSTILE), pendingChanges=changes))
    assert said.count("<script>alert(2)</script>") == 6
    assert await argocd_page.page.locator("#tab :is(script, img)").count() == 0
