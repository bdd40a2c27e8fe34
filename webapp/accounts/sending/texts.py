"""The words we text, in one segment each: a second one would be paid for.

The site's name is written as it is where GSM-7 has its letters. Otherwise the whole text goes in
UCS-2, which leaves 70 characters: the words become fewer, or the name loses accents.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from webapp.accounts.policy.rules import PHONE_CHANGE_WAITS
from webapp.accounts.sending.notices import Notice
from webapp.segments import segments, spellings


def code(name: str, host: str, one_time_code: str) -> str:
    """A one-time code, ending in the line that lets phones fill it in on our pages only.

    https://wicg.github.io/sms-one-time-codes/
    """
    bound = f"\n\n@{host.partition(':')[0]} #{one_time_code}"
    return _in_one_segment(
        name,
        f"{one_time_code} is your {{}} code. Do not share it.{bound}",
        f"{{}}: {one_time_code}{bound}",
    )


def confirmation(name: str) -> str:
    """The account is verified. It names no person: what a stranger typed is never texted."""
    return _in_one_segment(
        name,
        "{}: You did it! Signup complete: your account is verified.",
        "{}: Signup complete.",
    )


NOT_YOU = "Not you? Choose a new password at once."
NOTICES: Mapping[Notice, tuple[str, str]] = {  # what happened, and what to do about it
    Notice.PASSWORD_CHANGED: ("Your password was changed.", NOT_YOU),
    Notice.EMAIL_CHANGE_ASKED: ("A new email address was asked for.", NOT_YOU),
    Notice.EMAIL_CHANGED: ("Your email address was changed.", NOT_YOU),
    Notice.PASSKEY_ADDED: (
        "A passkey was added to your account.",
        "Not you? Remove it, and choose a new password.",
    ),
    Notice.PASSKEY_REMOVED: ("A passkey was removed from your account.", NOT_YOU),
    Notice.PHONE_CHANGED: ("Your mobile number was changed.", NOT_YOU),
    Notice.RECOVERY_CODE_MADE: ("A new recovery code was made.", NOT_YOU),
    Notice.ACCOUNT_DELETED: ("Your account was deleted.", ""),
}


def notice(name: str, about: Notice) -> str:
    """A change of the account, for a person who is not told of it by email."""
    happened, advice = NOTICES[about]
    return _in_one_segment(name, f"{{}}: {happened} {advice}".rstrip(), f"{{}}: {happened}")


def phone_change_waits(name: str, link: str) -> str:
    """The number will change in a day. The link to stop it may need a second segment, which is
    worth its price: it protects the owner of an account that was taken over.
    """
    hours = PHONE_CHANGE_WAITS // timedelta(hours=1)
    words = f"{{}}: Your number will change in {hours} hours. Not you? Stop it: {link}"
    return _in_one_segment(name, words, f"{{}}: Stop the change of your number: {link}")


def _in_one_segment(name: str, words: str, few_words: str) -> str:
    """The first of these that is one segment: all words, accents lost, few words, letters lost."""
    whole, plain = spellings(name)
    accents_lost = [plain] if len(plain) == len(whole) else []
    letters_lost = [plain] if plain else []
    return _first_in_one_segment(
        [words.format(spelling) for spelling in (whole, *accents_lost)]
        + [few_words.format(whole)]
        + [form.format(spelling) for spelling in letters_lost for form in (words, few_words)]
    )


def _first_in_one_segment(bodies: Sequence[str]) -> str:
    return next((body for body in bodies if segments(body) == 1), bodies[-1])
