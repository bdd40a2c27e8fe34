"""The changes of an account that its person is told of."""

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


# What concerns the address itself is told to it although it is not confirmed.
ALWAYS_EMAILED = frozenset({Notice.EMAIL_CHANGE_ASKED, Notice.EMAIL_CHANGED})
# A text costs money: told by email or not at all. Nobody gets into an account by another name, and
# the phone was texted the code by which a new browser signed in.
NEVER_TEXTED = frozenset({Notice.NAME_CHANGED, Notice.NEW_BROWSER})
