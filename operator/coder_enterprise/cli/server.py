"""`coder-enterprise server`: runs the API server until it is told to end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coder_enterprise.cli import server_data
from coder_enterprise.cli.options import ADDRESS_HELP, listen_at
from coder_enterprise.process.start import does_not_stay

if TYPE_CHECKING:
    from coder_enterprise.server.settings import FirstUser


ENCRYPTION_KEYS: Final = "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS"

app = typer.Typer(invoke_without_command=True)
for command in (server_data.backup, server_data.restore, server_data.reset_password, server_data.create_owner):
    app.command()(command)


@app.callback()
def run(
    context: typer.Context,
    http_address: Annotated[str, typer.Option(envvar="CODER_HTTP_ADDRESS", help=ADDRESS_HELP)] = "127.0.0.1:3000",
    tls_enable: Annotated[
        bool, typer.Option(envvar="CODER_TLS_ENABLE", help="Speak HTTPS there, with TLS 1.2 or later.")
    ] = False,
    tls_cert_file: Annotated[
        Path | None,
        typer.Option(envvar="CODER_TLS_CERT_FILE", help="The certificate and its chain (PEM); read anew when changed."),
    ] = None,
    tls_key_file: Annotated[
        Path | None, typer.Option(envvar="CODER_TLS_KEY_FILE", help="Its key (PEM), without a password.")
    ] = None,
    access_url: Annotated[
        str, typer.Option(envvar="CODER_ACCESS_URL", help="How others reach it. Default: from the address.")
    ] = "",
    sqlite_path: Annotated[
        Path, typer.Option(envvar="CODER_SQLITE_PATH", help="The SQLite database; made when it is missing.")
    ] = Path("coder-enterprise.db"),
    first_user_username: Annotated[
        str, typer.Option(envvar="CODER_FIRST_USER_USERNAME", help="Owner that is created at the first start.")
    ] = "",
    first_user_email: Annotated[str, typer.Option(envvar="CODER_FIRST_USER_EMAIL", help="That owner's e-mail.")] = "",
    wire_profile: Annotated[
        str,
        typer.Option(
            envvar="CODER_WIRE_PROFILE",
            help="documented: the shapes of the API's page; codersdk: those of Coder's Go SDK and the Terraform "
            "provider.",
        ),
    ] = "documented",
    announced_version: Annotated[
        str,
        typer.Option(
            envvar="CODER_ANNOUNCED_VERSION",
            help="The release of Coder that it says it is. Default: v2.4.0 with documented, v2.30.0 with codersdk.",
        ),
    ] = "",
    api_rate_limit: Annotated[
        int,
        typer.Option(
            envvar="CODER_API_RATE_LIMIT",
            help="Requests a minute that one address may send to one path; below 1 there is no limit.",
        ),
    ] = 512,
    proxy_trusted_headers: Annotated[
        str,
        typer.Option(
            envvar="CODER_PROXY_TRUSTED_HEADERS",
            help="Headers, with commas between them, in which proxies before the server tell the client's address: "
            "X-Forwarded-For.",
        ),
    ] = "",
    proxy_trusted_origins: Annotated[
        str,
        typer.Option(
            envvar="CODER_PROXY_TRUSTED_ORIGINS",
            help="Addresses and networks of these proxies, with commas between them: 10.0.0.0/8.",
        ),
    ] = "",
    audit_logs_retention: Annotated[
        str,
        typer.Option(envvar="CODER_AUDIT_LOGS_RETENTION", help="How long the audit is kept; 0 is for ever."),
    ] = "365d",
    api_keys_retention: Annotated[
        str,
        typer.Option(
            envvar="CODER_API_KEYS_RETENTION",
            help="How long sessions and tokens are kept after they expired; 0 is for ever.",
        ),
    ] = "7d",
    provisioner_job_logs_retention: Annotated[
        str,
        typer.Option(
            envvar="CODER_PROVISIONER_JOB_LOGS_RETENTION",
            help="How long logs of provisioner jobs are kept after the job; 0 is for ever.",
        ),
    ] = "30d",
    workspace_session_tokens: Annotated[
        bool,
        typer.Option(
            envvar="CODER_WORKSPACE_SESSION_TOKENS",
            help="Give a session token of its owner to each workspace that starts.",
        ),
    ] = True,
    quiet_hours_default_schedule: Annotated[
        str,
        typer.Option(
            envvar="CODER_QUIET_HOURS_DEFAULT_SCHEDULE",
            help="When quiet hours start for users who set nothing: 'CRON_TZ=Europe/Berlin 30 2 * * *'. "
            "Default: midnight in UTC.",
        ),
    ] = "",
    allow_custom_quiet_hours: Annotated[
        bool, typer.Option(envvar="CODER_ALLOW_CUSTOM_QUIET_HOURS", help="Let users set their own.")
    ] = True,
    proxy_health_interval: Annotated[
        str,
        typer.Option(envvar="CODER_PROXY_HEALTH_INTERVAL", help="How often workspace proxies are asked how they are."),
    ] = "60s",
    derp_server_relay_url: Annotated[
        str,
        typer.Option(
            envvar="CODER_DERP_SERVER_RELAY_URL", help="Where the other replicas of the server reach this one."
        ),
    ] = "",
    prometheus_enable: Annotated[
        bool, typer.Option(envvar="CODER_PROMETHEUS_ENABLE", help="Serve metrics at an address of their own.")
    ] = False,
    prometheus_address: Annotated[
        str, typer.Option(envvar="CODER_PROMETHEUS_ADDRESS", help="Where /metrics listens, in plain HTTP.")
    ] = "127.0.0.1:2112",
    shutdown_delay: Annotated[
        str,
        typer.Option(
            envvar="CODER_SHUTDOWN_DELAY",
            help="How long to go on serving after SIGTERM, while /readyz says no: until nobody sends requests here.",
        ),
    ] = "0s",
    bootstrap_token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CODER_BOOTSTRAP_TOKEN_FILE",
            help="File with a session token for that owner: 10 letters or digits, a hyphen, 22 letters or digits.",
        ),
    ] = None,
    license_keys_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CODER_LICENSE_KEYS_FILE",
            help="JSON file of the public keys that licences may be signed with; `license keygen` writes it. Without "
            "it no licence is accepted, and licensed features are off.",
        ),
    ] = None,
    development_license: Annotated[
        bool,
        typer.Option(
            envvar="CODER_DEVELOPMENT_LICENSE",
            help="Without such a file: have the server make a licence for everything, for trials and development.",
        ),
    ] = False,
    support_links: Annotated[
        str,
        typer.Option(
            envvar="CODER_SUPPORT_LINKS",
            help="JSON list of objects with name, target and icon. Default: Coder's own links.",
        ),
    ] = "",
) -> None:
    """Run the API server.

    Secrets are read from the environment alone, for options are visible to everybody on the machine: the first
    owner's password from CODER_FIRST_USER_PASSWORD, the URL of a PostgreSQL database, which several servers may
    share, from CODER_PG_CONNECTION_URL, the pre-shared key of provisioner daemons from
    CODER_PROVISIONER_DAEMON_PSK, what an identity provider sends as Authorization to /scim/v2 from
    CODER_SCIM_AUTH_HEADER, and the keys that encrypt values of template variables from
    CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS.

    Examples:

    \b
      coder-enterprise server --http-address :3000 \\
        --sqlite-path /var/lib/coder/enterprise.db

    \b
      CODER_FIRST_USER_PASSWORD=... coder-enterprise server \\
        --first-user-username admin --first-user-email admin@example.com

    \b
      CODER_PG_CONNECTION_URL='postgres://coder:...@db.example.com/enterprise' \\
        coder-enterprise server
    """
    if context.invoked_subcommand is not None:
        does_not_stay()
        return
    listener = listen_at(context, "CODER_HTTP_ADDRESS", http_address)
    metrics = listen_at(context, "CODER_PROMETHEUS_ADDRESS", prometheus_address) if prometheus_enable else None
    try:
        from coder_enterprise.process.loop import run as run_loop
        from coder_enterprise.server.errors import RequestError
        from coder_enterprise.server.run import serve
        from coder_enterprise.server.settings import (
            Retention,
            Settings,
            SettingsError,
            parse_access_url,
            parse_delay,
            parse_encryption_keys,
            parse_interval,
            parse_profile,
            parse_release,
            parse_retention,
            parse_support_links,
            parse_trusted_proxies,
            parse_url,
        )
        from coder_enterprise.server.storage.database import StorageError
        from coder_enterprise.server.tls import parse_tls
    except ImportError as error:
        typer.echo(
            f"coder-enterprise server: {error.name} is missing; run: pip install 'coder-enterprise[server]'",
            err=True,
        )
        raise typer.Exit(1) from None
    from coder_enterprise.cli.logs import configure

    configure()
    try:
        trusted_headers, trusted_origins = parse_trusted_proxies(proxy_trusted_headers, proxy_trusted_origins)
        settings = Settings(
            tls=parse_tls(tls_enable, tls_cert_file, tls_key_file),
            access_url=parse_access_url(access_url),
            sqlite_path=sqlite_path,
            pg_connection_url=_pg_connection_url(context),
            first_user=_first_user(first_user_username, first_user_email),
            bootstrap_token_file=bootstrap_token_file,
            license_keys_file=license_keys_file,
            development_license=development_license,
            support_links=parse_support_links(support_links),
            profile=parse_profile(wire_profile),
            announced_release=parse_release(announced_version),
            scim_auth_header=os.environ.get("CODER_SCIM_AUTH_HEADER", "").strip(),
            rate_limit=api_rate_limit,
            retention=Retention(
                audit_logs=parse_retention("CODER_AUDIT_LOGS_RETENTION", audit_logs_retention),
                api_keys=parse_retention("CODER_API_KEYS_RETENTION", api_keys_retention),
                job_logs=parse_retention("CODER_PROVISIONER_JOB_LOGS_RETENTION", provisioner_job_logs_retention),
            ),
            trusted_headers=trusted_headers,
            trusted_origins=trusted_origins,
            encryption_keys=parse_encryption_keys(ENCRYPTION_KEYS, os.environ.get(ENCRYPTION_KEYS, "")),
            provisioner_daemon_psk=os.environ.get("CODER_PROVISIONER_DAEMON_PSK", ""),
            workspace_session_tokens=workspace_session_tokens,
            quiet_hours_default_schedule=quiet_hours_default_schedule,
            allow_custom_quiet_hours=allow_custom_quiet_hours,
            proxy_health_interval=parse_interval("CODER_PROXY_HEALTH_INTERVAL", proxy_health_interval),
            relay_url=parse_url("CODER_DERP_SERVER_RELAY_URL", derp_server_relay_url),
            shutdown_delay=parse_delay("CODER_SHUTDOWN_DELAY", shutdown_delay),
        )
        run_loop(serve(settings, listener, metrics))
    except (SettingsError, StorageError, RequestError) as error:
        typer.echo(f"coder-enterprise server: {error}", err=True)
        raise typer.Exit(1) from None


def _has_undecoded_bytes(value: str) -> bool:
    """Python keeps bytes of the environment that are not UTF-8 as halves of surrogate pairs."""
    return any("\ud800" <= character <= "\udfff" for character in value)


def _first_user(username: str, email: str) -> FirstUser | None:
    from coder_enterprise.server.settings import FirstUser, SettingsError

    values = {
        "CODER_FIRST_USER_USERNAME": username,
        "CODER_FIRST_USER_EMAIL": email,
        "CODER_FIRST_USER_PASSWORD": os.environ.get("CODER_FIRST_USER_PASSWORD", ""),
    }
    missing = [name for name, value in values.items() if not value]
    if len(missing) == len(values):
        return None
    unreadable = [name for name, value in values.items() if _has_undecoded_bytes(value)]
    if unreadable:
        raise SettingsError(f"{', '.join(unreadable)}: not UTF-8; encode it so")
    if missing:
        raise SettingsError(f"{', '.join(missing)}: needed too for a first user")
    return FirstUser(*values.values())


def _pg_connection_url(context: typer.Context) -> str:
    from coder_enterprise.server.settings import SettingsError

    url = os.environ.get("CODER_PG_CONNECTION_URL", "").strip()
    source = context.get_parameter_source("sqlite_path")
    if url and source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP"):
        raise SettingsError(
            "CODER_PG_CONNECTION_URL, CODER_SQLITE_PATH: one database is enough; unset CODER_SQLITE_PATH "
            "(--sqlite-path) to use PostgreSQL, or CODER_PG_CONNECTION_URL to use SQLite"
        )
    return url
