"""Signing keys and signed tokens. Import it late: `cryptography` takes 19 MB and 0.1 s."""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

ALGORITHM = "RS256"  # which every client must know (OpenID Connect Core 1.0, 15.1)
KEY_BITS = 2048
NONCE_BYTES = 12  # GCM's


def generate() -> RSAKey:
    """A new signing key, named by its thumbprint. Takes the processor for about 0.1 s."""
    return RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)


def public(key: RSAKey) -> str:
    """The JSON that applications check signatures by."""
    return json.dumps(key.as_dict(private=False))


def seal(key: RSAKey, secret: str) -> str:
    """The private key as the database may have it: encrypted by ``secret``, bound to its name."""
    nonce, private = os.urandom(NONCE_BYTES), json.dumps(key.as_dict(private=True))
    sealed = AESGCM(_sealing_key(secret)).encrypt(nonce, private.encode(), str(key.kid).encode())
    return urlsafe_b64encode(nonce + sealed).decode()


def unseal(kid: str, sealed: str, secret: str) -> RSAKey | None:
    """The private key; None where it was sealed by another secret."""
    data = urlsafe_b64decode(sealed)
    nonce, encrypted = data[:NONCE_BYTES], data[NONCE_BYTES:]
    try:
        private = AESGCM(_sealing_key(secret)).decrypt(nonce, encrypted, kid.encode())
    except InvalidTag:
        return None
    return RSAKey.import_key(json.loads(private))


def sign(key: RSAKey, claims: Mapping[str, Any]) -> str:
    """A signed token (JWT) that says which key it was signed by."""
    header = {"alg": ALGORITHM, "kid": key.kid}
    return jwt.encode(header, dict(claims), key, algorithms=[ALGORITHM])


def verify(token: str, public_keys: Iterable[str]) -> dict[str, Any] | None:
    """The claims of a token that one of our keys signed by our algorithm; None for all others.

    Which key is decided by the name in the token's head, and by nothing else in there: neither an
    algorithm nor a key nor the address of one is believed (ASVS 9.1.2, 9.1.3).
    """
    keys = KeySet.import_key_set({"keys": [json.loads(key) for key in public_keys]})
    try:
        decoded = jwt.decode(token, lambda obj: keys.get_by_kid(_kid(obj)), algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        return None
    return decoded.claims


def _kid(signed: Any) -> str:
    kid = signed.headers().get("kid")
    if not isinstance(kid, str):
        raise ValueError("names no key")  # noqa: TRY004 - it is the token that is wrong
    return kid


def _sealing_key(secret: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"oidc signing keys")
    return derived.derive(secret.encode())
