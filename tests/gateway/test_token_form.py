"""JSON Web Tokens: signature, header, spelling and size; each verifier takes its own kind and no other."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from builders_proofs import (
    API_KEY,
    OLD_SECRET,
    SECRET,
    admin_id_token,
    extension_token,
    json_web_token,
    part,
    post_purchase_token,
    raw_token,
)
from builders_verifiers import FORGERS, VERIFIERS, a_changeset, verify_admin, verify_extension, verify_purchase

from shopify_upsell.core import BadSetting, ProofRefused


@pytest.mark.parametrize("kind", VERIFIERS)
def test_old_secret_is_good_while_it_is_kept(kind: str) -> None:
    token = FORGERS[kind](secret=OLD_SECRET)

    VERIFIERS[kind](token)
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](token, secrets=(SECRET,))


@pytest.mark.parametrize("kind", VERIFIERS)
def test_empty_secret_opens_nothing(kind: str) -> None:
    with pytest.raises(BadSetting):
        VERIFIERS[kind](FORGERS[kind](), secrets=(SECRET, ""))


def tokens_by_kind() -> dict[str, str]:
    return {name: forge() for name, forge in FORGERS.items()} | {"changeset": a_changeset()}


@pytest.mark.parametrize("kind", VERIFIERS)
def test_tokens_of_every_other_kind_are_refused(kind: str) -> None:
    for other, token in tokens_by_kind().items():
        if other != kind:
            with pytest.raises(ProofRefused):
                VERIFIERS[kind](token)


@pytest.mark.parametrize("kind", VERIFIERS)
@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "None"},
        {"alg": "NONE"},
        {"alg": "hs256"},
        {"alg": "HS384"},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"alg": "ES256"},
        {"alg": ["HS256"]},
        {"alg": None},
        {"typ": "JWT"},
        {"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}},
        {"alg": "HS256", "jku": "https://evil.example/keys"},
        {"alg": "HS256", "x5u": "https://evil.example/cert"},
        {"alg": "HS256", "kid": "../../dev/null"},
        {"alg": "HS256", "crit": ["exp"]},
        {"alg": "HS256", "b64": False},
    ],
    ids=str,
)
def test_header_that_asks_for_anything_but_hs256_is_refused(kind: str, header: dict[str, Any]) -> None:
    claims = jwt.decode(FORGERS[kind](), options={"verify_signature": False})

    with pytest.raises(ProofRefused):
        VERIFIERS[kind](raw_token(header, json.dumps(claims).encode()))
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](raw_token(header, json.dumps(claims).encode()).rsplit(".", 1)[0] + ".")


@pytest.mark.parametrize("kind", VERIFIERS)
@pytest.mark.parametrize("secret", ["", API_KEY, "a" * 40])
def test_token_signed_with_another_secret_is_refused(kind: str, secret: str) -> None:
    claims = jwt.decode(FORGERS[kind](), options={"verify_signature": False})

    with pytest.raises(ProofRefused):
        VERIFIERS[kind](raw_token({"alg": "HS256", "typ": "JWT"}, json.dumps(claims).encode(), secret))


@pytest.mark.parametrize("kind", VERIFIERS)
@pytest.mark.parametrize(
    "bend",
    [
        lambda token: "",
        lambda token: "a.b",
        lambda token: token + ".x",
        lambda token: token + "=",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: "Bearer " + token,
        lambda token: token.replace(".", ".\n", 1),
        lambda token: token[:-1],
        lambda token: token[:20] + "é" + token[20:],
        lambda token: token.split(".")[0] + "==." + token.split(".", 1)[1],
        lambda token: token + "A" * 40_000,
        lambda token: "." + token.split(".", 1)[1],
    ],
    ids=range(13),
)
def test_other_spellings_of_a_genuine_token_are_refused(kind: str, bend: Callable[[str], str]) -> None:
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](bend(FORGERS[kind]()))


def test_stray_bits_at_the_end_of_the_signature_are_refused() -> None:
    token = extension_token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    mac, twin_mac = (base64.urlsafe_b64decode(text.rsplit(".", 1)[1] + "=") for text in (token, twin))
    assert twin_mac == mac

    with pytest.raises(ProofRefused):
        verify_extension(twin)


@pytest.mark.parametrize("kind", VERIFIERS)
@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"1", b'"text"', b"{", b'{"a":' * 20_000, b"\xff\xfe", b"[" * 5_000],
    ids=["empty", "null", "array", "number", "text", "cut", "deep objects", "not UTF-8", "deep arrays"],
)
def test_payload_that_is_no_object_is_refused(kind: str, payload: bytes) -> None:
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](raw_token({"alg": "HS256"}, payload))


def test_session_token_over_four_kilobytes_is_refused() -> None:
    with pytest.raises(ProofRefused):
        verify_extension(extension_token(change={"padding": "x" * 4096}))
    with pytest.raises(ProofRefused):
        verify_admin(admin_id_token(change={"padding": "x" * 4096}))


def test_post_purchase_token_may_hold_a_large_cart_but_not_any() -> None:
    line = {"product": {"id": 1, "title": "A product with a name", "variant": {"id": 11}}, "quantity": 1}

    assert len(verify_purchase(post_purchase_token(purchase={"lineItems": [line] * 150})).purchase["lineItems"]) == 150
    with pytest.raises(ProofRefused):
        verify_purchase(post_purchase_token(purchase={"lineItems": [line] * 1000}))


def test_refusals_do_not_say_what_was_wrong() -> None:
    said = set()
    for token in ("", part(b"{}"), json_web_token({}), extension_token(secret="x" * 40), admin_id_token()):
        with pytest.raises(ProofRefused) as refusal:
            verify_extension(token)
        said.add(refusal.value.message)

    assert len(said) == 1
