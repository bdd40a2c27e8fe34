"""The ceremonies of WebAuthn: options for the browser, and the verification of its answer.

The library `webauthn` does both. To import it, with `cryptography`, takes 19 MB and half a second
of CPU, so that happens in a thread when the first person uses a passkey.
"""

import asyncio
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from webapp.accounts.people.passkeys import LONGEST_ID, Passkey
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import PASSKEY_CHALLENGE_LIFETIME

MILLISECONDS = int(PASSKEY_CHALLENGE_LIFETIME.total_seconds() * 1000)
CREDENTIAL_ID = re.compile(rf"[\w-]{{1,{LONGEST_ID}}}", re.ASCII)


class PasskeyRefused(Exception):
    """The browser's answer is unreadable, unknown or false. Pages never tell which."""


class RelyingParty(NamedTuple):
    """Our site as authenticators know it."""

    id: str  # the host of ``origin``: passkeys are bound to it for ever
    origin: str
    name: str


class Answer(NamedTuple):
    """A browser's answer, parsed and not verified yet."""

    credential: str  # the whole answer, as JSON
    challenge: bytes
    credential_id: str
    user_handle: str  # the subject of the account that the authenticator has the passkey for


class NewKey(NamedTuple):
    """A public key that an authenticator made, verified."""

    credential_id: str
    public_key: bytes
    sign_count: int
    transports: str


def request_options(
    party: RelyingParty, challenge: bytes, allowed: Sequence[Passkey] = ()
) -> dict[str, Any]:
    """The options of ``navigator.credentials.get()``, as JSON has them.

    ``allowed``: the passkeys that may answer; with none given, any that the browser has for us.
    Written without the library, as everybody who opens the sign-in page is given them.
    """
    return {
        "challenge": _encoded(challenge),
        "rpId": party.id,
        "timeout": MILLISECONDS,
        "userVerification": "required",
        "allowCredentials": [_descriptor(passkey) for passkey in allowed],
    }


async def creation_options(
    party: RelyingParty, challenge: bytes, user: User, present: Sequence[Passkey]
) -> dict[str, Any]:
    """The options of ``navigator.credentials.create()``, as JSON has them.

    ``present``: the person's passkeys, so that an authenticator which has one makes no second.
    """
    options = await asyncio.to_thread(_creation_options, party, challenge, user)
    return options | {"excludeCredentials": [_descriptor(passkey) for passkey in present]}


async def read(credential: str) -> Answer:
    """Parse the browser's answer without verifying it. Raises ``PasskeyRefused``."""
    return await asyncio.to_thread(_read, credential)


async def verify_new_key(party: RelyingParty, answer: Answer) -> NewKey:
    """The key that an authenticator made for us. Raises ``PasskeyRefused``.

    User verification, by a PIN or biometrics, is required.
    """
    return await asyncio.to_thread(_verify_new_key, party, answer)


async def verify_signature(party: RelyingParty, answer: Answer, passkey: Passkey) -> int:
    """The signature count that comes with a signature by ``passkey``. Raises ``PasskeyRefused``.

    User verification is required, and the count must not have decreased.
    """
    return await asyncio.to_thread(_verify_signature, party, answer, passkey)


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _descriptor(passkey: Passkey) -> dict[str, Any]:
    """The ``PublicKeyCredentialDescriptor`` of a passkey, as JSON has it."""
    transports = passkey.transports.split(",") if passkey.transports else []
    return {"type": "public-key", "id": passkey.credential_id, "transports": transports}


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise ``PasskeyRefused`` for any error: the library raises all kinds on strangers' input."""
    try:
        yield
    except Exception as error:
        raise PasskeyRefused(type(error).__name__, str(error)) from error


def _creation_options(party: RelyingParty, challenge: bytes, user: User) -> dict[str, Any]:
    from webauthn import generate_registration_options  # noqa: PLC0415
    from webauthn.helpers.options_to_json_dict import options_to_json_dict  # noqa: PLC0415
    from webauthn.helpers.structs import (  # noqa: PLC0415
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_id=user.subject.encode(),
        user_name=user.email,
        user_display_name=user.name,
        challenge=challenge,
        timeout=MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return options_to_json_dict(options)


def _read(credential: str) -> Answer:
    from webauthn.helpers import base64url_to_bytes, parse_client_data_json  # noqa: PLC0415

    with _refusing():
        answer = json.loads(credential)
        response = answer["response"]
        client_data = parse_client_data_json(base64url_to_bytes(response["clientDataJSON"]))
        if client_data.cross_origin:
            raise ValueError("asked from a frame in another site's page")
        if not CREDENTIAL_ID.fullmatch(answer["id"]):
            raise ValueError("not an id of a passkey")
        handle = base64url_to_bytes(response.get("userHandle") or "").decode()
        return Answer(credential, client_data.challenge, answer["id"], handle)


def _verify_new_key(party: RelyingParty, answer: Answer) -> NewKey:
    from webauthn import verify_registration_response  # noqa: PLC0415
    from webauthn.helpers import bytes_to_base64url  # noqa: PLC0415
    from webauthn.helpers.parse_registration_credential_json import (  # noqa: PLC0415
        parse_registration_credential_json,
    )

    with _refusing():
        credential = parse_registration_credential_json(answer.credential)
        made = verify_registration_response(
            credential=credential,
            expected_challenge=answer.challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
        credential_id = bytes_to_base64url(made.credential_id)
        if credential_id != answer.credential_id:
            raise ValueError("the id is not the one that the authenticator made")
        transports = ",".join(transport.value for transport in credential.response.transports or ())
        return NewKey(credential_id, made.credential_public_key, made.sign_count, transports)


def _verify_signature(party: RelyingParty, answer: Answer, passkey: Passkey) -> int:
    from webauthn import verify_authentication_response  # noqa: PLC0415

    with _refusing():
        verified = verify_authentication_response(
            credential=answer.credential,
            expected_challenge=answer.challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
        return verified.new_sign_count
