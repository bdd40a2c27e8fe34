"""A person's name."""

from webapp.accounts.people.users import NAME_LENGTH


def unusable_name(name: str) -> str | None:
    """Why ``name`` cannot be taken."""
    if not name:
        return "Enter your name"
    too_long = len(name) > NAME_LENGTH
    return f"Shorten your name to {NAME_LENGTH} characters or fewer" if too_long else None
