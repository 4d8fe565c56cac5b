"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Kubeconfig = Annotated[
    Path | None,
    typer.Option(exists=True, help="Default: $KUBECONFIG, ~/.kube/config, or the pod's service account."),
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.")]
