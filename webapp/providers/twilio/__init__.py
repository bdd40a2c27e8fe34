"""Twilio: Verify v2 for one-time codes, Messages for plain texts."""

from webapp.providers.twilio.account import Credentials
from webapp.providers.twilio.errors import KINDS
from webapp.providers.twilio.messages import TwilioMessages
from webapp.providers.twilio.prices import TwilioPrices
from webapp.providers.twilio.usage import UsageTriggers
from webapp.providers.twilio.verify import TwilioVerify

__all__ = [
    "KINDS",
    "Credentials",
    "TwilioMessages",
    "TwilioPrices",
    "TwilioVerify",
    "UsageTriggers",
]
