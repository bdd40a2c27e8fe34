"""Hashes of what the tables must not hold in clear, although it could be guessed by trying all."""

import hashlib
import hmac


def keyed_hash(secret_key: str, purpose: str, *values: str) -> str:
    """An HMAC of ``values`` in 64 hexadecimal digits; those for two purposes never agree."""
    message = "\0".join((purpose, *values)).encode()
    return hmac.digest(secret_key.encode(), message, hashlib.sha256).hex()
