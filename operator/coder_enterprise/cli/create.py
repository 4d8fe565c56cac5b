"""`coder-enterprise create token-secret`: puts a session token where a CoderDeployment finds it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coder_enterprise.cli import cluster, names, screen
from coder_enterprise.cli.cluster import Connection
from coder_enterprise.cli.options import Context, Kubeconfig

if TYPE_CHECKING:
    from coder_enterprise.client.http import ConnectionSettings

app = typer.Typer(no_args_is_help=True, help="Make what declarations need beside themselves.")


def _coder_url(value: str) -> str:
    from coder_enterprise.kinds.deployment.urls import url_fault

    fault = url_fault(value.strip())
    if fault:
        raise typer.BadParameter(f"it {fault}")
    return value.strip()


@app.callback()
def group() -> None:
    """Make what declarations need beside themselves."""


@app.command("token-secret")
def token_secret(
    command: typer.Context,
    name: Annotated[str, typer.Argument(help="Of the Secret, such as coder-token.", callback=names.object_name)],
    url: Annotated[str, typer.Option(envvar="CODER_URL", help="Coder's access URL.", callback=_coder_url)],
    username: Annotated[
        str,
        typer.Option("--username", "--email", help="Make a token for who has this e-mail; the password is asked for."),
    ] = "",
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Take the token from standard input, rather than make one.")
    ] = False,
    days: Annotated[int, typer.Option(min=0, help="How long a new token lives. Default: as long as Coder likes.")] = 0,
    key: Annotated[str, typer.Option(help="Key of the Secret.")] = "token",
    replace: Annotated[bool, typer.Option("--replace", help="Put it into a Secret that is there already.")] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Certificates that sign Coder's, in place of the system's."),
    ] = None,
    namespace: cluster.Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Write a Secret with a session token for Coder, as spec.tokenSecretRef of a CoderDeployment refers to it.

    The token is tried first and never shown. The Secret gets the label with which the operator notices its changes.

    Examples:

    \b
      coder-enterprise create token-secret coder-token \\
        --url https://coder.example.com --username admin@example.com

    \b
      vault read -field=token secret/coder |
        coder-enterprise create token-secret coder-token \\
          --url https://coder.example.com --token-stdin
    """
    if bool(username) == token_stdin:
        raise typer.BadParameter("give one of --username and --token-stdin")
    secret = _password() if username else sys.stdin.buffer.read().decode(errors="replace")

    async def act(connection: Connection) -> None:
        from coder_enterprise.client.failures import Called
        from coder_enterprise.client.http import ConnectionSettings
        from coder_enterprise.kinds.machinery.moments import present
        from coder_enterprise.oncall import token_secret as work

        bundle = ca_file.read_bytes().decode(errors="surrogateescape") if ca_file else ""
        settings = ConnectionSettings(url.rstrip("/"), "", ca_bundle=bundle, called=Called("--url", "--ca-file"))
        place = work.Place(connection.namespace, name, key, replace)
        await work.try_place(connection.client, place)
        token = await _token(settings, username, secret, work.token_name(place, present()), days)
        holder = await work.try_token(_with(settings, token))
        await work.write(connection.client, place, token)
        typer.echo(f"Secret {connection.namespace}/{name}: key {key} has a token of {holder.username}")
        if not holder.is_owner:
            screen.say(f"{holder.username} is no owner: what other roles may not do, the operator cannot do either")

    cluster.run(command, act, kubeconfig, context, namespace)


def _password() -> str:
    if sys.stdin.isatty():
        password: str = typer.prompt("Password", hide_input=True, err=True)
        return password
    return sys.stdin.readline().rstrip("\r\n")


async def _token(settings: ConnectionSettings, username: str, secret: str, name: str, days: int) -> str:
    if username:
        from coder_enterprise.client.sign_in import mint_token

        return await mint_token(settings, username, secret, name, days)
    from coder_enterprise.kinds.machinery.secret_text import is_sendable, token
    from coder_enterprise.oncall.errors import CannotDo

    given = token(secret)
    if not is_sendable(given):
        raise CannotDo("standard input has no session token", "it is one word of ASCII characters")
    return given


def _with(settings: ConnectionSettings, token: str) -> ConnectionSettings:
    from dataclasses import replace

    return replace(settings, token=token)
