"""How phone networks count a text: the alphabet of GSM 03.38, and the texts that a body makes."""

GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_ESCAPED = frozenset("\f^{}\\[~]|€")  # each takes the place of two


def is_gsm_7(body: str) -> bool:
    """Whether ``body`` can be sent in GSM-7; all others are sent in UCS-2."""
    return set(body) <= GSM_7 | GSM_7_ESCAPED


def segments(body: str) -> int:
    """How many texts are paid for: 160 or 153 characters of GSM-7 each, else 70 or 67 of UCS-2."""
    if is_gsm_7(body):
        length, one, more = len(body) + sum(c in GSM_7_ESCAPED for c in body), 160, 153
    else:
        length, one, more = len(body.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= one else -(-length // more)
