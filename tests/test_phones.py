"""Numbers as people write them."""

from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import SUPPORTED_REGIONS, PhoneNumberType
from starlette.datastructures import Headers

from tests.people import ADA, sign_up
from tests.visitor import Visitor
from webapp.accounts.people import phones
from webapp.accounts.people.countries import TERRITORIES, countries
from webapp.accounts.people.phones import Phone
from webapp.pages.locale import country_of

LRM, ISOLATE, POP, NBSP = "\u200e", "\u2066", "\u2069", "\u00a0"


def refusal(typed: str, country: str, *allowed: str) -> str:
    with pytest.raises(phones.UnusableNumber) as refused:
        phones.parse(typed, country, frozenset(allowed))
    return str(refused.value)


@pytest.mark.parametrize(
    ("country", "typed", "e164"),
    [
        # Argentina's mobiles, with 9 or 15, or as they are given out for texts: without
        ("AR", "11 6907 1234", "+5491169071234"),
        ("AR", "11 15 6907 1234", "+5491169071234"),
        ("AR", "011 15 6907 1234", "+5491169071234"),
        ("AR", "+54 351 311-6713", "+5493513116713"),
        ("AR", "+54 9 351 311-6713", "+5493513116713"),
        # Mexico before 2019
        ("MX", "+52 1 55 4163 7145", "+525541637145"),
        ("MX", "044 55 4163 7145", "+525541637145"),
        ("MX", "045 55 4163 7145", "+525541637145"),
        ("MX", "01 55 4163 7145", "+525541637145"),
        ("MX", "55 4163 7145", "+525541637145"),
        # Brazil before the ninth digit, Benin before 01
        ("BR", "(11) 98765-4321", "+5511987654321"),
        ("BR", "+55 11 8765-4321", "+5511987654321"),
        ("BJ", "97 12 34 56", "+2290197123456"),
        # What is dialled at home, after the calling code
        ("GB", "+44 (0)7400 123456", "+447400123456"),
        ("GB", "+44 07400 123456", "+447400123456"),
        ("IT", "+39 0347 1234567", "+393471234567"),
        ("RU", "+7 8 912 345-67-89", "+79123456789"),
        ("HU", "+36 06 20 123 4567", "+36201234567"),
        ("BR", "+55 0 15 11 98765-4321", "+5511987654321"),
        # The calling code twice, or behind zeros where those are not dialled
        ("GB", "+44 447400123456", "+447400123456"),
        ("GB", "+44 +44 7400 123456", "+447400123456"),
        ("US", "0044 7400 123456", "+447400123456"),
        ("US", "011 44 7400 123456", "+447400123456"),
        # Letters that nobody sees, and those of East Asian keyboards
        ("GB", f"+44{LRM}7400{LRM} 123456", "+447400123456"),
        ("GB", f"{ISOLATE}07400\u00ad123{NBSP}456{POP}", "+447400123456"),
        ("JP", "０９０－１２３４－５６７８", "+819012345678"),
        ("", f"{LRM}+44 7400 123456", "+447400123456"),
        ("", "＋44 7400 123456", "+447400123456"),
    ],
)
def test_a_number_is_understood_as_it_is_written(country: str, typed: str, e164: str) -> None:
    assert phones.parse(typed, country).e164 == e164


def test_every_countrys_mobile_number_is_understood_in_every_usual_spelling() -> None:
    for region in sorted(SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        for e164, typed in usual_spellings(number) if number else ():
            assert phones.parse(typed, region).e164 == e164, typed


def usual_spellings(number: phonenumbers.PhoneNumber) -> Iterator[tuple[str, str]]:
    """The number in E.164, beside each way in which it may be written."""
    code = number.country_code
    e164 = f"+{code}{phonenumbers.national_significant_number(number)}"
    home = phones.national(e164)
    for typed in (home, f"+{code} {home}", f"+{code} {e164}", f"00{e164[1:]}", e164):
        yield e164, typed


@pytest.mark.parametrize(
    ("country", "typed", "kind"),
    [
        ("IT", "0331 123456", "landline"),  # without its zero it would be a mobile number
        ("GB", "020 7946 0000", "landline"),
        ("US", "0044 20 7946 0000", "landline"),
        ("AR", "0800 555 1234", "special-rate"),
        ("BR", "(11) 3456-7890", "landline"),
        ("US", "0415 555 2671", "too long"),  # a number of many countries, but none of this one
    ],
)
def test_a_good_number_is_never_taken_for_another(country: str, typed: str, kind: str) -> None:
    assert kind in refusal(typed, country)


@pytest.mark.parametrize("typed", ["49 1512 3456789", "(49) 01512-3456789"])
def test_a_number_that_fits_another_country_is_said_to(typed: str) -> None:
    words = refusal(typed, "US")
    assert "looks like a number in another country: Germany (+49)" in words
    assert "begin with +49" in words
    assert "(201) 555-0123" in words


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("+49 151", "too short for a +49 number. It should look like 01512 3456789"),
        ("+49 151 2345678901234", "too long for a +49 number. It should look like 01512 3456789"),
        ("07400", "too short for a +1 number. It should look like (201) 555-0123"),
    ],
)
def test_a_faulty_number_is_compared_with_those_of_its_own_country(typed: str, words: str) -> None:
    assert words in refusal(typed, "US")


@pytest.mark.parametrize(
    ("country", "typed", "territory"),
    [
        ("GB", "07624 123456", "IM"),
        ("GB", "07781 123456", "GG"),
        ("GB", "07797 712345", "JE"),
        ("US", "787 234 5678", "PR"),
        ("US", "671 300 1234", "GU"),
    ],
)
def test_a_country_is_served_with_the_territories_that_share_its_code(
    country: str, typed: str, territory: str
) -> None:
    served = phones.parse(typed, country, frozenset({country}))
    assert served.country == territory
    assert territory in [row.code for row in countries(frozenset({country}))]


def test_countries_that_only_share_a_code_are_not_served_with_it() -> None:
    assert "Jamaica (+1)" in refusal("876 210 1234", "US", "US")
    assert "Canada (+1)" in refusal("506 234 5678", "US", "US")
    assert "Kazakhstan (+7)" in refusal("771 000 9998", "RU", "RU")
    assert "Germany (+49)" in refusal("+49 1512 3456789", "US", "US")


def test_a_territory_without_numbers_of_its_own_is_served() -> None:
    assert phones.parse("041 2345678", "AX", frozenset({"AX"})) == Phone("+358412345678", "AX")


def test_every_territory_shares_its_countrys_code() -> None:
    for country, territories in TERRITORIES.items():
        codes = {phonenumbers.country_code_for_region(each) for each in (country, *territories)}
        assert len(codes) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.environ(ALLOWED_COUNTRIES="GB")
async def test_somebody_from_jersey_signs_up_where_the_united_kingdom_is_served(
    visitor: Visitor,
) -> None:
    page = await sign_up(visitor, phone="07797 712345")
    assert page.step == "verification"
    page = await visitor.visit("/verification/phone")
    [chosen] = page.html.css("option[selected]")
    assert chosen.text().startswith("Jersey")


def test_a_visitor_from_a_territory_finds_it_chosen() -> None:
    served = frozenset({"GB"})
    assert country_of(Headers({"cf-ipcountry": "JE"}), served) == "JE"
    assert country_of(Headers({"cf-ipcountry": "FR"}), served) == "GB"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_direction_mark_in_the_number_is_kept_in_the_form_and_does_not_count(
    visitor: Visitor,
) -> None:
    page = await sign_up(visitor, phone=f"+44{LRM}7400 12345")
    assert page.errors["phone"].startswith("This is not a +44 number in use")
    page = await visitor.submit("/signup", **ADA | {"phone": f"+44{LRM}7400 123456"})
    assert page.step == "verification"


@pytest.mark.parametrize(
    ("number", "prefix"),
    [
        ("+447400123456", "+447400"),
        ("+5511987654321", "+5511987"),  # +55 11 9 is all mobiles of São Paulo
        ("+12125550123", "+12125"),
        ("+4915123456789", "+4915123"),
        ("+3546112345", "+354611"),
    ],
)
def test_a_dialling_prefix_has_a_million_numbers_at_most(number: str, prefix: str) -> None:
    assert phones.dialling_prefix(number) == prefix
