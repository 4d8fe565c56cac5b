"""`python -m tools.bench`: called by `make bench`. A table on the terminal, JSON in .cache/bench.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tools.bench import server
from tools.bench.cluster import connected
from tools.bench.endurance import Outage, Stillness, outage, rest
from tools.bench.measurements import FLOOR, OPERATED, Figures, measure
from tools.bench.server import ServerFigures
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.processes import ProcessFailed
from tools.server_process import CoderServer

ROOT: Final = Path(__file__).parents[2]
RESULT: Final = ROOT / ".cache" / "bench.json"
CONNECTION: Final = """
apiVersion: v1
kind: Secret
type: enterprise.coder.com/token
metadata: {{name: coder-token}}
stringData: {{token: {token}}}
---
apiVersion: enterprise.coder.com/v1alpha1
kind: CoderDeployment
metadata: {{name: coder}}
spec: {{url: "{url}", tokenSecretRef: {{name: coder-token}}}}
"""


Measured = tuple[Figures, Stillness | None, Outage | None]


def run(count: int, rest_seconds: float, outage_seconds: float) -> Measured:
    with ControlPlane(audit_log=True) as plane, CoderServer() as coder:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        for namespace in (FLOOR, OPERATED):
            plane.kubectl("create", "namespace", namespace)
        plane.kubectl("apply", "-n", OPERATED, "-f", "-", input=CONNECTION.format(token=coder.token, url=coder.url))
        operator = OperatorProcess(plane.kubeconfig, plane.folder / "operator.log", "--namespace", OPERATED)

        async def main() -> Measured:
            async with connected(plane, coder) as cluster:
                return (
                    await measure(plane, cluster, operator, count),
                    await rest(plane, coder, operator, rest_seconds) if rest_seconds else None,
                    await outage(plane, cluster, coder, operator, outage_seconds) if outage_seconds else None,
                )

        try:
            return asyncio.run(main())
        finally:
            operator.close()


def operator_rows(figures: Figures) -> dict[str, str]:
    return {
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


def rest_rows(figures: Stillness) -> dict[str, str]:
    return {
        "writes to the objects": str(figures.kubernetes_writes),
        "changes in Coder": str(figures.coder_changes),
        "memory of the operator, before": f"{figures.memory_before_mib:.0f} MiB",
        "… after": f"{figures.memory_after_mib:.0f} MiB",
    }


def outage_rows(figures: Outage) -> dict[str, str]:
    return {
        "events": str(figures.events),
        "objects written": str(figures.objects_written),
        "from its return to all compared": f"{figures.recovery_seconds:.1f} s",
    }


def server_rows(figures: ServerFigures) -> dict[str, str]:
    return {
        "GET /healthz, for comparison": f"{figures.bare_reads_per_second:.0f} /s",
        "reads of one group": f"{figures.reads_per_second:.0f} /s",
        "creations of groups": f"{figures.creations_per_second:.0f} /s",
        "a list of 10,000 groups": f"{figures.list_of_10000:.2f} s",
    }


def show(title: str, rows: dict[str, str]) -> None:
    table = Table(title=title)
    table.add_column("what")
    table.add_column("measured", justify="right")
    for what, value in rows.items():
        table.add_row(what, value)
    Console().print(table)


def operator_results(arguments: argparse.Namespace) -> dict[str, Any]:
    figures, stillness, broken = run(arguments.objects, arguments.rest, arguments.outage)
    results: dict[str, Any] = {"operator": figures.as_dict()}
    show(f"{figures.objects} CoderGroups, everything on this machine", operator_rows(figures))
    if stillness:
        results["rest"] = asdict(stillness)
        show(f"At rest for {stillness.seconds:.0f} s", rest_rows(stillness))
    if broken:
        results["outage"] = asdict(broken)
        show(f"Coder was away for {broken.seconds:.0f} s", outage_rows(broken))
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--objects", type=int, default=1000, help="how many CoderGroups (default: 1000)")
    parser.add_argument("--rest", type=float, default=0, help="then leave all at rest for so many seconds")
    parser.add_argument("--outage", type=float, default=0, help="then stop Coder for so many seconds")
    parser.add_argument("--only", choices=("operator", "server"), help="measure one half alone")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    try:
        if arguments.only != "server":
            results |= operator_results(arguments)
        if arguments.only != "operator":
            served = server.measure()
            results["server"] = served.as_dict() if served else None
            if served:
                show("The API server: one process, SQLite, wrk with 32 connections", server_rows(served))
            else:
                print("The API server is not measured: wrk is not installed.", file=sys.stderr)
    except ProcessFailed as error:
        print(error, file=sys.stderr)
        return 1
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
