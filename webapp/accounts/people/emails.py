"""Email addresses: read as people type them, and compared."""

import unicodedata

from email_validator import EmailNotValidError, validate_email

from webapp.accounts.people.letters import JOINERS, narrow, visible

LONGEST = 254  # characters (RFC 5321, 4.5.3.1.3, less the angle brackets)

MISSING = "Enter your email address"
MALFORMED = "Enter an email address in the right form, like name@example.com"
TOO_LONG = "This email address is too long"


class UnusableEmail(ValueError):
    """Not an address that we can write to; its argument is a sentence for the person."""


def read(typed: str) -> str:
    """The address that ``typed`` means. Raises ``UnusableEmail`` with the reason.

    Invisible letters are left out, and full-width ones (ａ＠) take their usual width. The domain's
    joiners stay for IDNA to judge, since without them it can be another domain.
    """
    if not typed:
        raise UnusableEmail(MISSING)
    local, at, domain = narrow(typed).rpartition("@")
    address = visible(local) + at + visible(domain, keep=JOINERS)
    if len(address) > LONGEST:
        raise UnusableEmail(TOO_LONG)
    try:
        valid = validate_email(
            address,
            check_deliverability=False,
            test_environment=True,  # .test is nobody's (RFC 6761), and testers' own
        )
    except EmailNotValidError as error:
        raise UnusableEmail(MALFORMED) from error
    # Folded it can be longer: one Arabic ligature is eighteen letters.
    if max(len(valid.normalized), len(fold(valid.normalized))) > LONGEST:
        raise UnusableEmail(TOO_LONG)
    return valid.normalized


def fold(email: str) -> str:
    """``email`` for comparison: two addresses with one fold are one account's.

    RFC 8265's UsernameCaseMapped with two changes, since an address that looks like another's must
    not become a second account: compatibility letters (ﬁ, ſ) count as those they stand for (NFKC
    instead of NFC), and invisible letters do not count. As there, letters are lowered and not
    case-folded: ß and ss, ς and σ are different mailboxes.
    """
    lowered = visible(unicodedata.normalize("NFKC", email)).lower()
    return unicodedata.normalize("NFKC", lowered)
