"""What people mean by numbers that libphonenumber alone does not understand.

Another reading counts only where it makes a number in use of one that is none, so no good number
is changed. The exception is Argentina's, for which see ``OUTDATED``.
"""

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

# By calling code: national numbers in a form that is gone or for use at home, and today's form.
OUTDATED = {
    # Mexico dialled 1, 01, 044 and 045 before some numbers until 2019.
    52: (r"(?:0?1|04[45])(\d{10})", r"\1"),
    # Argentina's mobiles have a 9 from abroad and a 15 at home; in texts people leave both out.
    # What is left looks like a landline. We were asked for a mobile number, so it is read as one.
    54: (r"(?!9)(\d{10})", r"9\1"),
    # Brazil's mobiles got a ninth digit from 2012 to 2016; messengers still show them without it.
    55: (r"(\d\d)([6-9]\d{7})", r"\g<1>9\2"),
    # Benin put 01 before every number in 2024.
    229: (r"(\d{8})", r"01\1"),
}


def read(typed: str, country: str) -> PhoneNumber:
    """The number that ``typed`` means in ``country``, an ISO code or nothing.

    Where no reading is a number in use, libphonenumber's own is returned, or its
    ``NumberParseException`` raised.
    """
    numbers = (number for number in _readings(typed, country) if number)
    valid = (number for number in numbers if phonenumbers.is_valid_number(number))
    return next(valid, None) or phonenumbers.parse(typed, country or None)


def international(typed: str) -> PhoneNumber | None:
    """The number in use that ``typed`` is with a + before it, if it is one."""
    number = None if "+" in typed else _parsed(f"+{typed}")
    return number if number and phonenumbers.is_valid_number(number) else None


def _readings(typed: str, country: str) -> Iterator[PhoneNumber | None]:
    number = _parsed(typed, country)
    if number:
        yield _up_to_date(number)
    yield number
    if typed.startswith("00"):  # dialled so from most countries, not from all
        yield _parsed(f"+{typed[2:]}")
    yield _parsed(typed[max(0, typed.rfind("+")) :])  # the calling code stands there twice
    if number and "+" in typed:
        yield from _after_the_calling_code(number)


def _after_the_calling_code(number: PhoneNumber) -> Iterator[PhoneNumber | None]:
    """The number with what is dialled at home (+39 0347…), or the code again (+44 44 7400…)."""
    code = str(number.country_code)
    digits = phonenumbers.national_significant_number(number).lstrip("0")
    yield _parsed(f"+{code}{digits}")
    if digits.startswith(code):
        yield _parsed(f"+{digits}")


def _up_to_date(number: PhoneNumber) -> PhoneNumber | None:
    code, digits = number.country_code, phonenumbers.national_significant_number(number)
    pattern, today = OUTDATED.get(code or 0, ("$^", ""))
    changed = re.fullmatch(pattern, digits)
    return _parsed(f"+{code}{changed.expand(today)}") if changed else None


def _parsed(typed: str, country: str = "") -> PhoneNumber | None:
    try:
        return phonenumbers.parse(typed, country or None)
    except NumberParseException:
        return None
