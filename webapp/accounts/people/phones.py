"""One number, one spelling: E.164. Numbers are understood by libphonenumber."""

from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

from webapp.accounts.people import spellings
from webapp.accounts.people.countries import DIALS, place, with_territories
from webapp.accounts.people.letters import narrow, visible

TEXTABLE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.VOIP}
NORTH_AMERICA = 1  # where a personal number (+1 500) costs what any number costs; +44 70 does not
BLOCK_DIGITS = 6  # a dialling prefix has a million numbers: operators are given such blocks
LEAST_PREFIX_DIGITS = 3  # after the country code, where a country's numbers are short

WORDS = {
    "missing": "Enter your mobile number",
    "unreadable": "Enter a mobile number, like {example}",
    "short": "This is too short for a {dial} number. It should look like {example}",
    "long": "This is too long for a {dial} number. It should look like {example}",
    "impossible": "This is not a {dial} number in use. It should look like {example}",
    "abroad": "This looks like a number in another country: {place}. If it is, begin with {dial}. "
    "If not, it should look like {example}",
    "landline": "This is a landline. Enter a mobile number that can receive texts",
    "premium": "We do not send texts to special-rate numbers. Enter a mobile number",
    "country": "We cannot send texts to {place} yet. Use a number in another country",
}

REASONS = {
    ValidationResult.TOO_SHORT: "short",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "short",
    ValidationResult.TOO_LONG: "long",
}


class UnusableNumber(ValueError):
    """Not a number we can text; its text is a sentence for the person.

    ``why`` is the key of that sentence in ``WORDS``, and ``e164`` the number if it is one in use.
    """

    def __init__(self, words: str, why: str, e164: str) -> None:
        super().__init__(words)
        self.why, self.e164 = why, e164


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that can be texted."""

    e164: str
    country: str  # ISO 3166


def parse(typed: str, country: str, allowed: frozenset[str] = frozenset()) -> Phone:
    """The number that ``typed`` means in ``country``; an international ``+…`` overrides it.

    ``allowed`` are the countries served, all when empty. Raises ``UnusableNumber`` with the reason.
    """
    typed = narrow(visible(typed)).strip()
    if not typed:
        raise _unusable("missing", country)
    number = _read(typed, country)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    _refuse_special(number, country, e164)
    region = phonenumbers.region_code_for_number(number) or ""
    if region not in SUPPORTED_REGIONS:
        raise _unusable("impossible", country)
    served = region_served(number, region, allowed)
    if not served:
        raise _unusable("country", region, where=place(region), e164=e164)
    return Phone(e164, served)


def is_international(typed: str) -> bool:
    """Whether ``typed`` names its country itself, by +44 or 0044."""
    return narrow(visible(typed)).strip().startswith(("+", "00"))


def region_served(number: PhoneNumber, region: str, allowed: frozenset[str]) -> str:
    """The country among those ``allowed`` that ``number`` of ``region`` is one of, or nothing.

    Some countries have no numbers to tell them from a neighbour's by: Åland's are Finland's.
    """
    served = with_territories(allowed)
    if not served or region in served:
        return region
    sharing = COUNTRY_CODE_TO_REGION_CODE.get(number.country_code or 0, ())
    fitting = (code for code in sharing if phonenumbers.is_valid_number_for_region(number, code))
    return next((code for code in fitting if code in served), "")


def _read(typed: str, country: str) -> PhoneNumber:
    """A number in use. Raises ``UnusableNumber`` with what is wrong with any other."""
    try:
        number = spellings.read(typed, country)
    except NumberParseException as error:
        _refuse_abroad(typed, country)
        too_long = error.error_type == NumberParseException.TOO_LONG and country in DIALS
        raise _unusable("long" if too_long else "unreadable", country) from error
    if phonenumbers.is_valid_number(number):
        return number
    _refuse_abroad(typed, country)
    reason = REASONS.get(phonenumbers.is_possible_number_with_reason(number), "impossible")
    code = number.country_code or 0
    home = phonenumbers.region_code_for_country_code(code) if "+" in typed else country
    raise _unusable(reason, home, dial=f"+{code}")


def _refuse_abroad(typed: str, country: str) -> None:
    """Say so if ``typed`` is a number of another country whose + is missing."""
    if number := spellings.international(typed):
        region = phonenumbers.region_code_for_number(number) or ""
        if region in SUPPORTED_REGIONS:
            raise _unusable("abroad", country, f"+{number.country_code}", place(region))


def _refuse_special(number: PhoneNumber, country: str, e164: str) -> None:
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.FIXED_LINE:
        raise _unusable("landline", country, e164=e164)
    personal = kind == PhoneNumberType.PERSONAL_NUMBER and number.country_code == NORTH_AMERICA
    if kind not in TEXTABLE and not personal:
        raise _unusable("premium", country, e164=e164)


def _unusable(
    reason: str, country: str, dial: str = "", where: str = "", e164: str = ""
) -> UnusableNumber:
    """The sentence for ``reason``, with an example of ``country``."""
    known = country if country in SUPPORTED_REGIONS else "US"
    dial = dial or f"+{DIALS[known]}"
    words = WORDS[reason].format(example=example(known), dial=dial, place=where)
    return UnusableNumber(words, reason, e164)


def example(country: str) -> str:
    """A mobile number of ``country`` as people there write it; none where no country is known."""
    return country and _example(country if country in SUPPORTED_REGIONS else "US")


@cache  # bounded: by region, not by what strangers type
def _example(region: str) -> str:
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    number = number or phonenumbers.example_number(region)
    return str(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)) if number else ""


def readable(e164: str) -> str:
    """``e164`` with its spaces, as it is read aloud: +1 415-555-0132."""
    number = phonenumbers.parse(e164)
    return str(phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL))


def end(e164: str) -> str:
    """The last two digits, by which its owner knows the number and a stranger does not: …32."""
    return f"…{e164[-2:]}"


def national(e164: str) -> str:
    """``e164`` as it is dialled at home."""
    number = phonenumbers.parse(e164)
    return str(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))


UNKNOWN_COUNTRY = "ZZ"  # as Unicode's CLDR has it


def country_of(e164: str) -> str:
    """The ISO 3166 code of the country of ``e164``; ``UNKNOWN_COUNTRY`` for +800 and the like.

    libphonenumber calls that region 001, which is one letter too long for a column of countries.
    """
    region = phonenumbers.region_code_for_number(phonenumbers.parse(e164))
    return region if region in SUPPORTED_REGIONS else UNKNOWN_COUNTRY


def dialling_prefix(e164: str) -> str:
    """All digits but the last six, at least three after the country code.

    So a prefix is as long as the country's numbers are: +44 7400, +55 11 987, +1 212 5, +354 611.
    """
    code = phonenumbers.parse(e164).country_code
    return e164[: max(len(e164) - BLOCK_DIGITS, 1 + len(str(code)) + LEAST_PREFIX_DIGITS)]
