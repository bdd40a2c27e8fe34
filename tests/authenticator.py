"""An authenticator in software, and the browser around it: what WebAuthn says they answer."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, KEY_ATTACHED = 0x01, 0x04, 0x40
ES256, EC2, P256 = -7, 2, 1


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Passkey:
    """One passkey on the authenticator."""

    rp_id: str
    user_handle: str
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    id: bytes = field(default_factory=lambda: token_bytes(16))
    sign_count: int = 0


@dataclass
class Authenticator:
    """Somebody's device at one origin. What it answers may be made wrong by its fields."""

    origin: str
    user_verified: bool = True
    counts: bool = True  # False: it synchronises its passkeys, and always says 0
    passkeys: list[Passkey] = field(default_factory=list)
    cross_origin: bool = False
    next_id: bytes = b""  # of the next passkey; random where it is empty

    def create(self, options: dict[str, Any]) -> str:
        """The answer to ``navigator.credentials.create()`` with these options, as JSON."""
        assert options["authenticatorSelection"]["residentKey"] == "required"
        assert options["authenticatorSelection"]["userVerification"] == "required"
        assert {"type": "public-key", "alg": ES256} in options["pubKeyCredParams"]
        name = self.next_id or token_bytes(16)
        passkey = Passkey(options["rp"]["id"], options["user"]["id"], id=name)
        self.passkeys.append(passkey)
        numbers = passkey.key.public_key().public_numbers()
        key = {1: EC2, 3: ES256, -1: P256, -2: _bytes(numbers.x), -3: _bytes(numbers.y)}
        attached = bytes(16) + len(passkey.id).to_bytes(2) + passkey.id + cbor2.dumps(key)
        data = self._data(passkey, KEY_ATTACHED) + attached
        attestation = {"fmt": "none", "attStmt": {}, "authData": data}
        return _answer(
            passkey,
            clientDataJSON=encoded(self._client_data("webauthn.create", options["challenge"])),
            attestationObject=encoded(cbor2.dumps(attestation)),
            transports=["internal", "hybrid"],
        )

    def get(self, options: dict[str, Any], passkey: Passkey | None = None) -> str:
        """The answer to ``navigator.credentials.get()``, by the newest passkey unless told."""
        assert options["userVerification"] == "required"
        passkey = passkey or self.passkeys[-1]
        passkey.sign_count += self.counts
        data = self._data(passkey)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signed = data + hashlib.sha256(client_data).digest()
        return _answer(
            passkey,
            clientDataJSON=encoded(client_data),
            authenticatorData=encoded(data),
            signature=encoded(passkey.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
            userHandle=passkey.user_handle,
        )

    def _data(self, passkey: Passkey, more_flags: int = 0) -> bytes:
        flags = USER_PRESENT | more_flags | (USER_VERIFIED if self.user_verified else 0)
        count = passkey.sign_count.to_bytes(4)
        return hashlib.sha256(passkey.rp_id.encode()).digest() + bytes([flags]) + count

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {
                "type": kind,
                "challenge": challenge,
                "origin": self.origin,
                "crossOrigin": self.cross_origin,
            }
        ).encode()


def _answer(passkey: Passkey, **response: Any) -> str:
    name = encoded(passkey.id)
    return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def _bytes(number: int) -> bytes:
    return number.to_bytes(32)
