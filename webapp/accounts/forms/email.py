"""A form's email address."""

from dataclasses import dataclass, field

from webapp.accounts.forms import Form
from webapp.accounts.people import emails


@dataclass
class EmailField(Form):
    """What was typed as an email address, and the address that it means."""

    email: str = ""
    clean_email: str = field(default="", kw_only=True)

    def check_email(self) -> None:
        try:
            self.clean_email = emails.read(self.email)
        except emails.UnusableEmail as error:
            self.errors["email"] = str(error)
