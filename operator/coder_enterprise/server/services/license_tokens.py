"""Licences as they are handed over: JWTs signed with Ed25519 (`alg` EdDSA), whose `kid` names the key.

`licenses` and `entitlements` read them here, `coder-enterprise license` signs and reads them. What they allow is
decided in `entitlements`. No error of this module shows a licence.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

ALGORITHM: Final = "EdDSA"
VERSION: Final = 3
MAX_LENGTH: Final = 64 * 1024
"""Characters of a licence."""
MAX_SHOWN: Final = 64
"""Characters of a key's name in an error: it is not ours until the signature is checked."""

# Times are checked in `Claims`, against a clock that a test can set; audience, issuer and subject mean nothing here.
_SIGNATURE_ONLY: Final[jwt.types.Options] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class InvalidLicense(ValueError):
    """Why a licence cannot be used; a sentence without its subject, such as "is signed with …"."""


def _moment(value: Any) -> datetime:
    """A NumericDate of RFC 7519: seconds since 1970, also with a fraction."""
    if type(value) not in (int, float):
        raise ValueError("must be a number of seconds since 1970")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        raise ValueError("is no moment in the calendar") from None


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Claims(BaseModel):
    """What a licence says, as far as it means something here; null is as good as absent."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    version: Literal[3]
    license_expires: Moment
    """When the term ends and the grace period begins."""
    exp: Moment
    """When the grace period ends."""
    nbf: Moment | None = None
    """Before that the licence does nothing."""
    iat: Moment | None = None
    trial: bool = False
    require_telemetry: bool = False
    all_features: bool = False
    feature_set: str = ""
    """`enterprise` and `premium` are how later licences say `all_features`."""
    features: dict[str, int] = Field(default_factory=dict)
    """Feature to 1, or to a limit; 0 and less is off. Names that are not known here mean nothing."""
    deployment_ids: list[str] = Field(default_factory=list)
    """The deployments that may use it; empty is every one."""

    @property
    def has_all_features(self) -> bool:
        return self.all_features or self.feature_set in ("enterprise", "premium")

    def is_for(self, deployment_id: UUID) -> bool:
        return not self.deployment_ids or str(deployment_id) in (text.lower() for text in self.deployment_ids)


def sign(claims: Mapping[str, Any], key: Ed25519PrivateKey, key_id: str) -> str:
    return jwt.encode(dict(claims), key, algorithm=ALGORITHM, headers={"kid": key_id})


def read(token: str, keys: Mapping[str, bytes]) -> Claims:
    """What a licence claims that is signed with one of `keys`: raw Ed25519 public keys by name.

    Whether it has expired is for the caller to ask. Raises `InvalidLicense`.
    """
    key_id = _key_id(token)
    if key_id not in keys:
        known = ", ".join(sorted(keys)) or "none"
        raise InvalidLicense(f"is signed with key {key_id[:MAX_SHOWN]!r}, which is not trusted here; trusted: {known}")
    key = Ed25519PublicKey.from_public_bytes(keys[key_id])
    try:
        payload = jwt.decode(token, key, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
    except jwt.InvalidSignatureError:
        raise InvalidLicense(
            f"does not match its signature by key {key_id!r}: it was altered, or signed with another key of that name"
        ) from None
    except jwt.InvalidTokenError as error:
        raise InvalidLicense(f"cannot be decoded: {error}") from None
    return claims_of(payload)


def read_current(token: str, keys: Mapping[str, bytes], deployment_id: UUID, now: datetime) -> Claims:
    """Like `read`, for a licence that is to be used by this deployment, now or later."""
    claims = read(token, keys)
    if claims.exp <= now:
        raise InvalidLicense(f"expired at {claims.exp.isoformat()}, when its grace period ended (claim exp)")
    if not claims.is_for(deployment_id):
        raise InvalidLicense(f"is for other deployments (claim deployment_ids); the id of this one is {deployment_id}")
    return claims


def payload_of(token: str) -> dict[str, Any]:
    """The claims word for word, whether or not they can be trusted. Raises `InvalidLicense`."""
    try:
        payload: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise InvalidLicense(f"cannot be decoded: {error}") from None
    return payload


def uuid_of(payload: Mapping[str, Any]) -> UUID:
    """`jti`; a random one for a licence that has none, or one that is no UUID."""
    try:
        return UUID(payload.get("jti"))
    except (ValueError, TypeError, AttributeError):
        return uuid4()


def _key_id(token: str) -> str:
    if len(token) > MAX_LENGTH:
        raise InvalidLicense(f"has more than {MAX_LENGTH} characters")
    parts = token.split(".")
    if len(parts) != 3 or not all(_is_canonical(part) for part in parts):
        raise InvalidLicense("is no JWT: that is three parts in base64url, joined by dots")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise InvalidLicense(f"has a header that cannot be read: {error}") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm != ALGORITHM:
        raise InvalidLicense(f"is signed with {str(algorithm)[:MAX_SHOWN]!r}; only {ALGORITHM} is accepted")
    if not isinstance(key_id, str) or not key_id:
        raise InvalidLicense("does not name the key that signed it: its header has no kid")
    return key_id


def _is_canonical(part: str) -> bool:
    """One spelling for one licence, or a second one would pass for another licence: the last bits may differ."""
    try:
        raw = base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == part


def claims_of(payload: Mapping[str, Any]) -> Claims:
    """Those of a licence, whether or not it can be trusted. Raises `InvalidLicense`."""
    try:
        return Claims.model_validate({name: value for name, value in payload.items() if value is not None})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part)[:MAX_SHOWN] for part in problem["loc"])
    if problem["type"] == "missing":
        raise InvalidLicense(f"lacks the claim {name}")
    if name == "version":
        raise InvalidLicense(f"has a claim version that is not {VERSION}, the only one that is known here")
    cause = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else problem["msg"]
    raise InvalidLicense(f"has a claim {name} that cannot be read: {cause}")
