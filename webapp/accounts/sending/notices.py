"""The account changes that people are notified of."""

from enum import StrEnum


class Notice(StrEnum):
    """What has happened. The value is the event in the log and the name of the email's template."""

    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - no password
    EMAIL_CHANGE_ASKED = "email_change_asked"  # told to the address that the account has
    EMAIL_CHANGED = "email_changed"  # told to the address that the account had
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    NEW_BROWSER = "new_browser"  # somebody signed in with it
    PHONE_CHANGED = "phone_changed"  # told to the number that the account had
    PHONE_CHANGE_REFUSED = "phone_change_refused"  # after the wait, as the new number was full
    RECOVERY_CODE_MADE = "recovery_code_made"
    NAME_CHANGED = "name_changed"
    ACCOUNT_DELETED = "account_deleted"


# Even if the address is not confirmed: notices about itself, and those that follow a link to it.
ALWAYS_EMAILED = frozenset(
    {Notice.EMAIL_CHANGE_ASKED, Notice.EMAIL_CHANGED, Notice.PHONE_CHANGE_REFUSED}
)
# By email or not at all, since a text costs money: another name lets nobody in, a new browser
# signed in with a code that the phone was texted, and a phone that is lost need not be told.
NEVER_TEXTED = frozenset({Notice.NAME_CHANGED, Notice.NEW_BROWSER, Notice.PHONE_CHANGE_REFUSED})
