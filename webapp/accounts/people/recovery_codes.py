"""Recovery codes: what a person keeps on paper for the day on which the phone is lost.

A code has 120 random bits, so a fast hash of it is enough (ASVS 6.5.2) and nobody guesses one.
"""

import hashlib
import secrets

# Crockford's base 32: no letter of it is taken for another (https://www.crockford.com/base32.html)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MEANT = str.maketrans("OIL", "011")  # letters mistaken for digits
LENGTH, GROUP = 24, 4


def new_code() -> str:
    """A code as people read it: six groups of four letters and digits."""
    return grouped("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def grouped(letters: str) -> str:
    return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))


def read(typed: str) -> str:
    """The letters and digits of a code that was typed, in any case and spacing."""
    return "".join(filter(str.isalnum, typed.upper())).translate(MEANT)


def is_whole(letters: str) -> bool:
    """Whether these can be a code at all."""
    return len(letters) == LENGTH and set(letters) <= set(ALPHABET)


def hash_of(letters: str) -> str:
    """What is stored of a code."""
    return hashlib.sha256(f"recovery code\0{read(letters)}".encode()).hexdigest()
