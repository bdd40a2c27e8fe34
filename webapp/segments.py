"""How phone networks count texts, and how a name can be written in one."""

import unicodedata

GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_ESCAPED = frozenset("\f^{}\\[~]|€")  # each takes the place of two
LONGEST_NAME = 40  # characters


def is_gsm_7(body: str) -> bool:
    """Whether ``body`` can be sent in GSM-7 (3GPP TS 23.038); all else is sent in UCS-2."""
    return set(body) <= GSM_7 | GSM_7_ESCAPED


def segments(body: str) -> int:
    """How many texts are paid for: 160 or 153 characters of GSM-7 each, else 70 or 67 of UCS-2."""
    if is_gsm_7(body):
        length, one, more = len(body) + sum(c in GSM_7_ESCAPED for c in body), 160, 153
    else:
        length, one, more = len(body.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= one else -(-length // more)


def spellings(name: str) -> tuple[str, str]:
    """``name`` as it is written, and in GSM-7, where a letter loses its accent or is left out.

    Both without control and format characters, cut at ``LONGEST_NAME``.
    """
    seen = "".join(c for c in unicodedata.normalize("NFC", name) if _is_seen(c))
    whole = " ".join(seen.split())[:LONGEST_NAME].strip()
    return whole, " ".join("".join(map(_in_gsm_7, whole)).split())


def _is_seen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] != "C"


def _in_gsm_7(character: str) -> str:
    if is_gsm_7(character):
        return character
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
