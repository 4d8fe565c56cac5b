"""What a licence claims, read from a Secret and never shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.license.claims import fingerprint, read_claims
from coder_enterprise.kinds.license.find import Declared
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.license.builders import KIND, Body, claims, in_days, observed, resource, spec, token
from tests.support.beside import Beside

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_a_server_may_write_numbers_and_order_names_as_it_likes(found: Body) -> None:
    def rewritten(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: rewritten(value[name]) for name in reversed(list(value))}
        if isinstance(value, list):
            return [rewritten(item) for item in value]
        return float(value) if type(value) is int else value

    assert fingerprint(rewritten(found)) == fingerprint(found)


@pytest.mark.parametrize(
    "values", [{"license_expires": in_days(366)}, {"trial": True}, {"features": {}}, {"jti": None}, {"new": 10**400}]
)
def test_another_claim_makes_another_licence(values: Body) -> None:
    assert fingerprint(claims(**values)) != fingerprint(claims())


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("canary", "it is no JWT, which is three parts"),
        ("canary.canary.canary", "its second part is no JSON"),
        ("canary.ca?ary.canary", "its second part is no JSON"),
        (token(["canary"]), "its claims are no JSON object"),
        (token({"canary": 1}), "lacks the claim license_expires"),
        (token(claims(license_expires="canary")), "lacks the claim license_expires"),
        (token(claims(exp=None)), "lacks the claim exp"),
        (token(claims(exp=True)), "lacks the claim exp"),
        (token(claims(exp=1e300)), "lacks the claim exp"),
        ("a." + "[" * 4 + "." + "b", "its second part is no JSON"),
    ],
)
def test_what_is_no_licence_is_refused_and_never_shown(text: str, cause: str) -> None:
    with pytest.raises(ValueError, match=cause) as caught:
        read_claims(text)
    assert "canary" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is"):
        read_claims(text)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (None, Reason.SECRET_NOT_FOUND),
        ({"other": "x"}, Reason.SECRET_KEY_MISSING),
        ({"license": " \n"}, Reason.SECRET_KEY_MISSING),
        ({"license": "canary"}, Reason.INVALID_LICENSE),
    ],
)
async def test_a_secret_that_cannot_be_used_stalls(
    context: Context, beside: Beside, values: Body | None, reason: Reason
) -> None:
    if values is not None:
        beside.secrets["default", "licence"] = values
    with pytest.raises(KindError, match="default/licence") as caught:
        await KIND.observe(context, resource(), spec(), fresh=True)
    assert (caught.value.reason, caught.value.meaning) == (reason, Meaning.STALLED)
    assert "canary" not in caught.value.message


def test_a_licence_is_never_shown_with_what_holds_it() -> None:
    assert "canary" not in repr(replace(observed(claims()), declared=Declared("canary", claims())))
