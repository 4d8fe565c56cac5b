"""The keys of licences: `license keygen` makes them, and the other commands of `license` read them."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_ID_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
KEY_ID_HELP: Final = "Name of the key. Default: the file's name without its ending."


def keygen(
    private_key: Annotated[Path, typer.Argument(help="File for the private key; made with mode 0600, never replaced.")],
    key_id: Annotated[str, typer.Option(help=KEY_ID_HELP)] = "",
    keys: Annotated[
        Path | None,
        typer.Option(help="JSON file of public keys to add this one to; made when it is missing. Default: print it."),
    ] = None,
) -> None:
    """Make an Ed25519 key pair that licences can be signed with.

    The private key signs licences: keep it away from the server. The server gets the JSON of public keys, by
    CODER_LICENSE_KEYS_FILE.

    Examples:

      coder-enterprise license keygen acme-2026.pem --keys keys.json

      coder-enterprise license keygen acme.pem --key-id acme > keys.json
    """
    need_server_extra()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    name = key_id_of(key_id, private_key)
    known = read_public_keys(keys) if keys and keys.exists() else {}
    if name in known:
        fail(f"--key-id: {keys} has a key {name!r} already; choose another name")
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        descriptor = os.open(private_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        fail(f"PRIVATE_KEY: {private_key} exists and is not replaced: licences may be signed with it")
    except OSError as error:
        fail(f"PRIVATE_KEY: {private_key} cannot be written: {error.strerror}")
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    text = _keys_json({**known, name: key.public_key().public_bytes_raw()})
    if keys is None:
        typer.echo(text)
        return
    try:
        _replace(keys, text + "\n")
    except OSError as error:
        private_key.unlink()
        fail(f"--keys: {keys} cannot be written: {error.strerror}")
    typer.echo(f"private key: {private_key}\npublic key:  {name} in {keys}", err=True)


def key_id_of(key_id: str, private_key: Path) -> str:
    name = key_id or private_key.stem
    if not KEY_ID_FORM.fullmatch(name):
        fail(f"--key-id: {name!r}: at most 63 letters, digits, dots, hyphens and underscores")
    return name


def read_private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        fail(f"--private-key: {path} cannot be read: {error.strerror}")
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        fail(f"--private-key: {path} holds no Ed25519 private key in PEM; `license keygen` writes one")
    return key


def read_public_keys(path: Path) -> dict[str, bytes]:
    from coder_enterprise.server.settings import SettingsError, read_license_keys

    try:
        return read_license_keys("--keys", path)
    except SettingsError as error:
        fail(str(error))


def _keys_json(keys: Mapping[str, bytes]) -> str:
    return json.dumps({name: base64.b64encode(key).decode() for name, key in sorted(keys.items())}, indent=2)


def _replace(path: Path, text: str) -> None:
    """At once, so that a server never reads half a file."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


def need_server_extra() -> None:
    try:
        import cryptography  # noqa: F401
        import jwt  # noqa: F401
    except ImportError as error:
        fail(f"{error.name} is missing; run: pip install 'coder-enterprise[server]'")


def fail(message: str) -> NoReturn:
    typer.echo(f"coder-enterprise license: {message}", err=True)
    raise typer.Exit(1)
