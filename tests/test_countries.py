"""The country list, held against the sources it was written from."""

from babel import Locale
from babel.core import get_global
from babel.localedata import locale_identifiers
from phonenumbers import SUPPORTED_REGIONS

from webapp.accounts.people.countries import countries, country_speaking


def test_every_region_of_the_numbers_has_the_name_that_cldr_has() -> None:
    names = Locale("en").territories
    listed = {country.code: country.name for country in countries()}
    assert listed == {region: names[region] for region in SUPPORTED_REGIONS}


def test_a_language_points_to_the_country_that_cldr_has() -> None:
    likely = get_global("likely_subtags")
    languages = {identifier.partition("_")[0] for identifier in locale_identifiers()}
    for language in languages:
        region = likely.get(language, "").rpartition("_")[2]
        assert country_speaking(language) == (region if region in SUPPORTED_REGIONS else "")


def test_a_list_of_few_has_those_alone_by_name() -> None:
    assert [country.name for country in countries(frozenset({"AX", "DE", "AT"}))] == [
        "Åland Islands",
        "Austria",
        "Germany",
    ]
