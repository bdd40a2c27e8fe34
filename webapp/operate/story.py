"""`story`: what happened to a phone number in the last 30 days, and why it got no code."""

from collections.abc import Iterator
from datetime import datetime

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from webapp.accounts.history import events
from webapp.accounts.history.events import EVENTS_KEPT, PhoneEvent
from webapp.accounts.history.reasons import BY_ID
from webapp.accounts.people import spellings, users
from webapp.accounts.people.phones import readable
from webapp.accounts.policy import blocks
from webapp.accounts.policy.blocks import Subject
from webapp.operate import CommandError

CHANNELS = {
    "sms": "by text",
    "call": "by call",
    "whatsapp": "by WhatsApp",
    "notice": "a text that is no code",
}


def read_number(typed: str) -> str:
    """The number in E.164, of any type. Raises ``CommandError``."""
    try:
        number = spellings.read(typed, "")
    except NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise CommandError(
            f"{typed!r} is no phone number: write it with its country code, like +447400123456"
        )
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


async def tell(phone: str, secret_key: str, now: datetime) -> list[str]:
    """The story of ``phone`` (E.164) in lines: events, the oldest first, then how it stands."""
    happened = await events.of_phone(events.phone_key(phone, secret_key), now - EVENTS_KEPT)
    days = EVENTS_KEPT.days
    return [
        f"{readable(phone)}, the last {days} days (UTC):",
        *(list(_table(happened)) or ["  nothing: nobody entered this number here"]),
        await _account(phone),
        *await _block(phone, now),
    ]


def _table(happened: list[PhoneEvent]) -> Iterator[str]:
    width = max((len(event.reason) for event in happened), default=0)
    for event in happened:
        yield f"  {event.at:%Y-%m-%d %H:%M:%S}  {event.reason:{width}}  {_words(event)}"


def _words(event: PhoneEvent) -> str:
    """An event in a sentence. A newer version may have written reasons that this one lacks."""
    reason = BY_ID.get(event.reason)
    refused = "refused: " if reason and reason.is_refusal else ""
    words = reason.words if reason else "(unknown to this version)"
    more = [CHANNELS.get(event.channel, event.channel)]
    more += [f"vendor's code {event.detail}" if event.detail else ""]
    more += [f"{event.times} times" if event.times > 1 else ""]
    extra = ", ".join(filter(None, more))
    return f"{refused}{words}{f' ({extra})' if extra else ''}"


async def _block(phone: str, now: datetime) -> list[str]:
    what = await blocks.find(Subject.of_phone(phone), now)
    return [f"Blocked by {what}."] if what else []


async def _account(phone: str) -> str:
    verified = await users.verified_with_phone(phone)
    if not verified:
        return "No verified account has this number."
    since = ", ".join(f"{user.verified_at:%Y-%m-%d}" for user in verified if user.verified_at)
    return f"Verified accounts with this number: {len(verified)} (since {since})."
