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
    RECOVERY_CODE_MADE = "recovery_code_made"
    NAME_CHANGED = "name_changed"
    ACCOUNT_DELETED = "account_deleted"


# Notices about the address itself go to it even if it is not confirmed.
ALWAYS_EMAILED = frozenset({Notice.EMAIL_CHANGE_ASKED, Notice.EMAIL_CHANGED})
# By email or not at all, since a text costs money: another name lets nobody in, and a new browser
# signed in with a code that the phone was texted.
NEVER_TEXTED = frozenset({Notice.NAME_CHANGED, Notice.NEW_BROWSER})
