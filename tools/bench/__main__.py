"""`python -m tools.bench`: called by `make bench`. A table on the terminal, JSON in .cache/bench.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tools.bench.cluster import connected
from tools.bench.measurements import FLOOR, OPERATED, Figures, measure
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.processes import ProcessFailed
from tools.server_process import CoderServer

ROOT: Final = Path(__file__).parents[2]
RESULT: Final = ROOT / ".cache" / "bench.json"
CONNECTION: Final = """
apiVersion: v1
kind: Secret
metadata: {{name: coder-token}}
stringData: {{token: {token}}}
---
apiVersion: enterprise.coder.com/v1alpha1
kind: CoderDeployment
metadata: {{name: coder}}
spec: {{url: "{url}", tokenSecretRef: {{name: coder-token}}}}
"""


def run(count: int) -> Figures:
    with ControlPlane(audit_log=True) as plane, CoderServer() as server:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        for namespace in (FLOOR, OPERATED):
            plane.kubectl("create", "namespace", namespace)
        plane.kubectl("apply", "-n", OPERATED, "-f", "-", input=CONNECTION.format(token=server.token, url=server.url))
        operator = OperatorProcess(plane.kubeconfig, plane.folder / "operator.log", "--namespace", OPERATED)

        async def main() -> Figures:
            async with connected(plane, server) as cluster:
                return await measure(plane, server, cluster, operator, count)

        try:
            return asyncio.run(main())
        finally:
            operator.close()


def show(figures: Figures) -> None:
    table = Table(title=f"{figures.objects} CoderGroups, everything on this machine")
    table.add_column("what")
    table.add_column("measured", justify="right")
    rows = {
        "a bare script, the same requests": f"{figures.floor:.2f} s",
        "created to all Ready": f"{figures.create:.2f} s",
        "… as a ratio to the bare script": f"{figures.create_to_floor:.2f}",
        "Kubernetes writes per object": f"{figures.writes_per_object_on_create:.2f}",
        "an edit to its effect in Coder, p50": f"{figures.edit_p50_ms:.0f} ms",
        "… p99": f"{figures.edit_p99_ms:.0f} ms",
        "restart to all compared": f"{figures.restart:.2f} s",
        "… objects written": str(figures.writes_on_restart),
        "memory of the operator": f"{figures.operator_memory_mib:.0f} MiB",
    }
    for what, value in rows.items():
        table.add_row(what, value)
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--objects", type=int, default=1000, help="how many CoderGroups (default: 1000)")
    try:
        figures = run(parser.parse_args().objects)
    except ProcessFailed as error:
        print(error, file=sys.stderr)
        return 1
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures.as_dict(), indent=2) + "\n")
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
