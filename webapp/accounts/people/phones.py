"""One number, one spelling: E.164. Numbers are understood by libphonenumber."""

from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

TEXTABLE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.VOIP}
NORTH_AMERICA = 1  # where a personal number (+1 500) costs what any number costs; +44 70 does not
PREFIX_DIGITS = 3  # after the country code: an operator's range, or a North American area code

WORDS = {
    "missing": "Enter your mobile number",
    "unreadable": "Enter a mobile number, like {example}",
    "short": "This number is too short. Check it, like {example}",
    "long": "This number is too long. Check it, like {example}",
    "impossible": "This is not a number in use. Check it, like {example}",
    "landline": "This is a landline. Enter a mobile number that can receive texts",
    "premium": "We do not send texts to special-rate numbers. Enter a mobile number",
    "country": "We cannot send texts to this country yet",
}


class UnusableNumber(ValueError):
    """Not a number we can text; its argument is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that can be texted."""

    e164: str
    country: str  # ISO 3166


def parse(typed: str, country: str, allowed: frozenset[str] = frozenset()) -> Phone:
    """The number that ``typed`` means in ``country``; an international ``+…`` overrides it.

    ``allowed`` are the countries served, all when empty. Raises ``UnusableNumber`` with the reason.
    """
    if not typed:
        raise _unusable("missing", country)
    number = _read(typed, country)
    region = phonenumbers.region_code_for_number(number) or ""
    kind = phonenumbers.number_type(number)
    _refuse_impossible(number, country)
    if kind == PhoneNumberType.FIXED_LINE:
        raise _unusable("landline", country)
    if kind == PhoneNumberType.UNKNOWN or region not in SUPPORTED_REGIONS:
        raise _unusable("impossible", country)
    if kind not in TEXTABLE and not _ordinary_personal(number, kind):
        raise _unusable("premium", country)
    if allowed and region not in allowed:
        raise _unusable("country", country)
    return Phone(phonenumbers.format_number(number, PhoneNumberFormat.E164), region)


def _read(typed: str, country: str) -> PhoneNumber:
    try:
        return phonenumbers.parse(typed, country or None)
    except NumberParseException as error:
        reason = "long" if error.error_type == NumberParseException.TOO_LONG else "unreadable"
        raise _unusable(reason, country) from error


def _refuse_impossible(number: PhoneNumber, country: str) -> None:
    match phonenumbers.is_possible_number_with_reason(number):
        case ValidationResult.TOO_SHORT | ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            raise _unusable("short", country)
        case ValidationResult.TOO_LONG:
            raise _unusable("long", country)
        case ValidationResult.INVALID_COUNTRY_CODE | ValidationResult.INVALID_LENGTH:
            raise _unusable("impossible", country)


def _ordinary_personal(number: PhoneNumber, kind: int) -> bool:
    return kind == PhoneNumberType.PERSONAL_NUMBER and number.country_code == NORTH_AMERICA


def _unusable(reason: str, country: str) -> UnusableNumber:
    return UnusableNumber(WORDS[reason].format(example=example(country or "US")))


def example(country: str) -> str:
    """A mobile number of ``country`` as people there write it; none where no country is known."""
    return country and _example(country if country in SUPPORTED_REGIONS else "US")


@cache  # of regions that there are, not of what strangers type
def _example(region: str) -> str:
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    number = number or phonenumbers.example_number(region)
    return str(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)) if number else ""


def readable(e164: str) -> str:
    """``e164`` with its spaces, as it is read aloud: +1 415-555-0132."""
    number = phonenumbers.parse(e164)
    return str(phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL))


def national(e164: str) -> str:
    """``e164`` as it is dialled at home."""
    number = phonenumbers.parse(e164)
    return str(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))


def dialling_prefix(e164: str) -> str:
    """The country code and the digits after it that name an operator's range or an area."""
    code = phonenumbers.parse(e164).country_code
    return e164[: 1 + len(str(code)) + PREFIX_DIGITS]
