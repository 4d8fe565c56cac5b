"""Two servers on one PostgreSQL, which is a process on the node: steps of the `scenario`."""

from __future__ import annotations

from typing import Final

from tools.commands import StepFailed
from tools.node.cluster import NAME, SERVER, Cluster
from tools.node.load import Load
from tools.node.namespaces import NODE_ADDRESS
from tools.postgresql import PostgreSQL, find

SECRET: Final = "coder-database"  # noqa: S105 - the name of one
REPLICAS: Final = 2


def install(cluster: Cluster) -> None:
    programs = find()
    if programs is None:
        raise StepFailed("there is no PostgreSQL; `make setup` brings one")
    # It ends with the namespaces, as everything does.
    database = PostgreSQL(programs, NODE_ADDRESS).__enter__()
    url = database.url(database.create_database())
    cluster.shell(f"kubectl create namespace {NAME}")
    cluster.kubectl("create", "secret", "generic", SECRET, f"--from-literal=url={url}")
    options = [
        f"--set server.postgresql.secretName={SECRET}",
        f"--set server.replicas={REPLICAS}",
        # Otherwise it is not the server that answers, but its limit.
        "--set server.env[0].name=CODER_API_RATE_LIMIT",
        "--set-string server.env[0].value=-1",
    ]
    cluster.follow_page("Helm, with the server", *options)


def restart(cluster: Cluster) -> str:
    """The default strategy of a Deployment: a new pod is ready before an old one ends."""
    headers = {"Coder-Session-Token": cluster.owner_token()}
    with Load(f"{cluster.server_url()}/api/v2/users/me", headers) as load:
        cluster.restart(SERVER)
    if load.lost:
        raise StepFailed(f"requests were lost: {load.report()}")
    return load.report()
