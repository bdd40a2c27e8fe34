"""The words we text."""

import unicodedata


def code(site: str, host: str, one_time_code: str) -> str:
    """A one-time code, ending in the line that binds it to our origin.

    One GSM-7 segment. The last line lets phones fill the code in on our page and on no other:
    https://wicg.github.io/sms-one-time-codes/
    """
    domain = host.partition(":")[0]
    words = f"{one_time_code} is your {plain(site)} code. Do not share it."
    return f"{words}\n\n@{domain} #{one_time_code}"


def confirmation(site: str) -> str:
    """The account is theirs. It holds no name: what a stranger typed is never texted."""
    return f"{plain(site)}: You did it! Signup complete: your account is verified."


def plain(site: str) -> str:
    """``site`` in letters that every phone network has, so that a text stays one segment."""
    letters = unicodedata.normalize("NFKD", site).encode("ascii", "ignore").decode()
    return "".join(letter for letter in letters if letter.isalnum() or letter in " .-'&")[
        :40
    ].strip()
