"""`coder-enterprise wsproxy`: runs a small workspace proxy until it is told to end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from coder_enterprise.cli.options import ADDRESS_HELP, listen_at

UNREACHABLE: Final = 3
"""Exit code when the server cannot be reached: worth another try, unlike a refusal."""


def run(
    command: typer.Context,
    primary_access_url: Annotated[
        str, typer.Option(envvar="CODER_PRIMARY_ACCESS_URL", help="The access URL of the Coder server. Required.")
    ] = "",
    proxy_session_token_file: Annotated[
        Path | None, typer.Option(envvar="CODER_PROXY_SESSION_TOKEN_FILE", help="File with the proxy's token.")
    ] = None,
    http_address: Annotated[str, typer.Option(envvar="CODER_HTTP_ADDRESS", help=ADDRESS_HELP)] = "127.0.0.1:3001",
    access_url: Annotated[
        str, typer.Option(envvar="CODER_ACCESS_URL", help="How the server reaches it. Default: from the address.")
    ] = "",
    wildcard_access_url: Annotated[
        str, typer.Option(envvar="CODER_WILDCARD_ACCESS_URL", help="Host name for apps, such as *.eu.example.com.")
    ] = "",
) -> None:
    """Run a small workspace proxy: it registers, says how it is, and deregisters. It proxies no workspaces.

    The token is read from CODER_PROXY_SESSION_TOKEN or from a file: options are visible to everybody on the machine.
    It ends with 0 when it is told to, with 1 when a person must act (a setting, or a token that is refused), and
    with 3 when the server cannot be reached.

    Examples:

    \b
      CODER_PROXY_SESSION_TOKEN=... coder-enterprise wsproxy \\
        --primary-access-url https://coder.example.com \\
        --http-address :3001 --access-url https://eu.example.com
    """
    listener = listen_at(command, "CODER_HTTP_ADDRESS", http_address)
    from coder_enterprise.cli.logs import configure
    from coder_enterprise.process.loop import run as run_loop
    from coder_enterprise.wsproxy.primary import PrimaryRefused, PrimaryUnreachable
    from coder_enterprise.wsproxy.run import serve
    from coder_enterprise.wsproxy.settings import SettingsError, make_settings

    configure()
    try:
        settings = make_settings(
            primary_access_url,
            os.environ.get("CODER_PROXY_SESSION_TOKEN", ""),
            proxy_session_token_file,
            access_url,
            wildcard_access_url,
        )
        run_loop(serve(settings, listener))
    except (SettingsError, PrimaryRefused) as error:
        typer.echo(f"coder-enterprise wsproxy: {error}", err=True)
        raise typer.Exit(1) from None
    except PrimaryUnreachable as error:
        typer.echo(f"coder-enterprise wsproxy: {error}", err=True)
        raise typer.Exit(UNREACHABLE) from None
