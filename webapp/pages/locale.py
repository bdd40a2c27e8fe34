"""Where a reader is from, guessed from what the browser or a proxy says of itself."""

import re

from phonenumbers import SUPPORTED_REGIONS
from starlette.datastructures import Headers

from webapp.accounts.people.countries import country_speaking, with_territories

# Cloudflare's, Vercel's, App Engine's and CloudFront's own; any other is only a wrong preselection.
COUNTRY_HEADERS = (
    "cf-ipcountry",
    "x-vercel-ip-country",
    "x-appengine-country",
    "cloudfront-viewer-country",
)
LANGUAGE = re.compile(
    r"\s*(?P<language>[a-zA-Z]{2,3})(?:-[a-zA-Z]{4})?(?:-(?P<region>[a-zA-Z]{2}))?\s*(?:;|$)"
)
DEFAULT = "US"


def country_of(headers: Headers, served: frozenset[str]) -> str:
    """The ISO code to preselect: a country served, the likeliest that the headers name."""
    guesses = [headers.get(name, "").upper() for name in COUNTRY_HEADERS]
    languages = headers.get("accept-language", "")[:200].split(",")
    guesses += [_region(language) for language in languages]
    regions = with_territories(served) or SUPPORTED_REGIONS
    fallback = min(served or regions)
    return next((guess for guess in [*guesses, DEFAULT] if guess in regions), fallback)


def _region(language: str) -> str:
    """de-AT is Austria; de alone most likely Germany (Unicode's likely subtags)."""
    match = LANGUAGE.match(language)
    if not match:
        return ""
    if match["region"]:
        return match["region"].upper()
    return country_speaking(match["language"].lower())
