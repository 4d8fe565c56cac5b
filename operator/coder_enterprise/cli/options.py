"""Options that several commands have, and what they mean."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Final

import typer

from coder_enterprise.process.addresses import AddressError, listen, parse_address

Kubeconfig = Annotated[
    Path | None,
    typer.Option(exists=True, help="Default: $KUBECONFIG, ~/.kube/config, or the pod's service account."),
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.")]
LEASE_NAME: Final = "coder-enterprise-operator"
"""With what the names of the operator's Leases begin, unless it is told otherwise."""

ADDRESS_HELP: Final = "Where to listen: host:port, [IPv6 address]:port, or :port for every address; port 0 picks one."


def listen_at(command: typer.Context, setting: str, address: str) -> socket.socket:
    """For as long as the command runs, and before it imports anything else: what comes meanwhile only waits.

    Ends the command where it cannot.
    """
    try:
        return command.with_resource(listen(setting, parse_address(setting, address)))
    except AddressError as error:
        typer.echo(f"coder-enterprise {command.info_name}: {error}", err=True)
        raise typer.Exit(1) from None
