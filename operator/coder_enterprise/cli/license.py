"""`coder-enterprise license`: signs licences and reads them; their keys are in `license_keys`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID, uuid4

import typer

from coder_enterprise.cli import license_keys
from coder_enterprise.cli.license_keys import (
    KEY_ID_HELP,
    fail,
    key_id_of,
    need_server_extra,
    read_private_key,
    read_public_keys,
)

if TYPE_CHECKING:
    from coder_enterprise.server.services.license_tokens import Claims

app = typer.Typer(
    no_args_is_help=True,
    help="Make keys, sign licences, and see what a licence says. For servers of this project: Coder's own server "
    "trusts Coder's own key alone.",
)

app.command()(license_keys.keygen)

MAX_DAYS: Final = 36_500


@app.command()
def sign(
    private_key: Annotated[Path, typer.Option(help="File that `license keygen` wrote.")],
    key_id: Annotated[str, typer.Option(help=KEY_ID_HELP)] = "",
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="Length of the term.")] = 365,
    grace_days: Annotated[
        int, typer.Option(min=0, max=MAX_DAYS, help="Days after the term in which everything still works.")
    ] = 30,
    not_before: Annotated[
        str,
        typer.Option(help="Start of the term: a date, or a time with its offset, such as 2026-01-31. Default: now."),
    ] = "",
    feature: Annotated[
        list[str] | None, typer.Option(help="NAME or NAME=NUMBER; repeat for several.", metavar="NAME[=NUMBER]")
    ] = None,
    all_features: Annotated[bool, typer.Option("--all-features", help="Every feature; it limits no users.")] = False,
    users: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="How many active users: short for --feature user_limit=N.")
    ] = None,
    trial: Annotated[bool, typer.Option("--trial", help="A trial: the warning before its end comes later.")] = False,
    deployment_id: Annotated[
        list[UUID] | None,
        typer.Option(
            help="Only for this deployment (`deployment_id` of /buildinfo); repeat for several. Default: all."
        ),
    ] = None,
    account_id: Annotated[str, typer.Option(help="Whose licence it is; shown, and nothing else.")] = "",
    account_type: Annotated[str, typer.Option(help="Kind of that account; shown, and nothing else.")] = "",
) -> None:
    """Print a signed licence (a JWT).

    Examples:

    \b
      coder-enterprise license sign --private-key acme-2026.pem \\
        --all-features --users 100 > license.jwt

    \b
      coder-enterprise license sign --private-key acme-2026.pem \\
        --feature template_rbac --users 5 --days 14 --grace-days 0 --trial
    """
    need_server_extra()
    from coder_enterprise.server.services import license_tokens

    features = _features(feature or [], users)
    if not features and not all_features:
        fail("--feature, --all-features, --users: give one of them; a licence without any enables nothing")
    start = _start(not_before)
    try:
        end = start + timedelta(days=days)
        last = end + timedelta(days=grace_days)
    except OverflowError:
        fail("--days, --grace-days: the licence would end after the year 9999")
    claims: dict[str, Any] = {
        "version": license_tokens.VERSION,
        "jti": str(uuid4()),
        "iat": int(datetime.now(UTC).timestamp()),
        "nbf": int(start.timestamp()),
        "license_expires": int(end.timestamp()),
        "exp": int(last.timestamp()),
        "account_type": account_type,
        "account_id": account_id,
        "trial": trial,
        "all_features": all_features,
        "features": features,
    }
    if deployment_id:
        claims["deployment_ids"] = [str(item) for item in deployment_id]
    typer.echo(license_tokens.sign(claims, read_private_key(private_key), key_id_of(key_id, private_key)))


@app.command()
def inspect(
    license_file: Annotated[
        str, typer.Argument(metavar="FILE", help="File with the licence; - reads standard input.")
    ] = "-",
    keys: Annotated[
        Path | None,
        typer.Option(envvar="CODER_LICENSE_KEYS_FILE", help="JSON file of public keys to check the signature with."),
    ] = None,
) -> None:
    """Show what a licence says, and whether it is good.

    The licence is read from a file: what is written on a command line is visible to everybody on the machine.

    The exit code is 0 for a licence that works, or will; 1 for one that has expired, cannot be read, or does not match
    --keys. Without --keys the signature is not checked, and the output says so.

    Examples:

      coder-enterprise license inspect license.jwt --keys keys.json

    \b
      kubectl get secret coder-license \\
        -o go-template='{{.data.license | base64decode}}' |
        coder-enterprise license inspect --keys keys.json
    """
    need_server_extra()
    from coder_enterprise.server.services import license_tokens
    from coder_enterprise.server.services.license_tokens import InvalidLicense

    token = _licence(license_file)
    try:
        payload = license_tokens.payload_of(token)
    except InvalidLicense as error:
        fail(f"{license_file}: the licence {error}")
    typer.echo(json.dumps(payload, indent=2))
    try:
        claims = license_tokens.read(token, read_public_keys(keys)) if keys else license_tokens.claims_of(payload)
    except InvalidLicense as error:
        fail(f"the licence {error}")
    signature = f"matches a key of {keys}" if keys else "not checked; give --keys"
    typer.echo(f"\nsignature: {signature}\n{_summary(claims)}")
    if claims.exp <= datetime.now(UTC):
        raise typer.Exit(1)


def _summary(claims: Claims) -> str:
    now = datetime.now(UTC)
    if claims.nbf is not None and now < claims.nbf:
        state = f"not valid before {claims.nbf.isoformat()}"
    elif now < claims.license_expires:
        state = f"valid until {claims.license_expires.isoformat()}, then in grace until {claims.exp.isoformat()}"
    elif now < claims.exp:
        state = f"in its grace period since {claims.license_expires.isoformat()}, until {claims.exp.isoformat()}"
    else:
        state = f"expired at {claims.exp.isoformat()}"
    names = [f"{name}={value}" for name, value in sorted(claims.features.items()) if value > 0]
    features = ", ".join([*(["all features"] if claims.has_all_features else []), *names]) or "none"
    return f"state:     {state}\nenables:   {features}"


def _licence(file: str) -> str:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"FILE: {file} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}")
    if not text.strip():
        fail(f"FILE: {'standard input' if file == '-' else file} is empty; it must hold a licence")
    return text.strip()


def _features(wanted: list[str], users: int | None) -> dict[str, int]:
    from coder_enterprise.wire.entitlements import Feature

    features: dict[str, int] = {}
    for text in wanted:
        name, equals, number = text.partition("=")
        if name not in set(Feature):
            fail(f"--feature: there is no feature {name!r}; there are {', '.join(sorted(Feature))}")
        if equals and not (number.isdecimal() and 0 < int(number) < 2**31):
            fail(f"--feature: {text}: the number must be between 1 and {2**31 - 1}")
        if name == Feature.USER_LIMIT and not equals:
            fail("--feature: user_limit needs a number: user_limit=100, or --users 100")
        features[name] = int(number) if equals else 1
    if users is not None:
        features[Feature.USER_LIMIT.value] = users
    return features


def _start(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        fail(f"--not-before: {text!r} is neither a date nor a time, such as 2026-01-31 or 2026-01-31T12:00:00+01:00")
