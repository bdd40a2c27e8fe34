"""Asks the deployed site at BASE_URL how a request arrives through the proxies in front of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from webapp.settings import Settings
from webapp.web import front_door
from webapp.web.security import host_of, host_spellings

DEADLINE = 10.0  # seconds
PLACEHOLDERS = ("example.com", "example.net", "example.org", "example", "invalid")  # RFC 2606


async def examine(settings: Settings) -> list[str]:
    """What is wrong with BASE_URL and the proxies, a line for each fault."""
    host = urlsplit(settings.base_url).hostname or ""
    if host.split(".")[0] in ("your-app", "yourapp") or _is_below(host, PLACEHOLDERS):
        return [f"BASE_URL: {host} is a placeholder. Set the origin that visitors come to"]
    try:
        answer = await _ask(settings)
    except httpx.HTTPError as error:
        return [f"BASE_URL: does not answer from here ({type(error).__name__}: {error})"]
    if answer.is_redirect:
        return [f"BASE_URL: redirects to {answer.headers.get('location')}"]
    try:
        arrived = answer.json()
    except ValueError:
        return [_unknown(answer)]
    if answer.status_code != HTTPStatus.OK or not isinstance(arrived, dict):
        return [_unknown(answer)]
    return [*host_faults(settings, arrived), *proxy_faults(settings, arrived)]


async def _ask(settings: Settings) -> httpx.Response:
    headers = {front_door.HEADER: front_door.sign(settings.secret_key, datetime.now(UTC))}
    async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False) as client:
        return await client.get(f"{settings.base_url}/healthz", headers=headers)


def _unknown(answer: httpx.Response) -> str:
    if answer.status_code == HTTPStatus.OK and answer.text == "ok":
        return (
            "SECRET_KEY: the site at BASE_URL has another one, or its clock differs by more than a "
            "minute, so it does not tell how requests arrive"
        )
    return f"BASE_URL: something else answers there (HTTP {answer.status_code})"


def host_faults(settings: Settings, arrived: dict[str, Any]) -> Iterator[str]:
    hosts, ours = arrived.get("host"), host_of(settings.base_url)
    if hosts is not None and [host.lower() in host_spellings(ours) for host in hosts] != [True]:
        came = f"Host {', '.join(hosts)}" if hosts else "no Host"
        yield (
            f"BASE_URL: {came} arrives instead of {ours}, and every visitor is answered with 400. "
            "Have the proxy pass Host on"
        )


def proxy_faults(settings: Settings, arrived: dict[str, Any]) -> Iterator[str]:
    hops, addresses = settings.trusted_proxy_hops, len(arrived.get("forwarded_for") or [])
    if hops > addresses:
        yield (
            f"TRUSTED_PROXY_HOPS: is {hops}, but {addresses} addresses arrive in X-Forwarded-For: "
            "all visitors share one limit, and whoever sends the header has one of their own. "
            f"Set it to {addresses}, or have the proxies append the address they see"
        )
    if hops < addresses:
        yield (
            f"TRUSTED_PROXY_HOPS: is {hops}, but {addresses} addresses arrive in X-Forwarded-For: "
            f"all visitors share a proxy's address and its limits. Set it to {addresses}"
        )
    proto = ",".join(arrived.get("forwarded_proto") or []).rpartition(",")[2].strip().lower()
    if settings.https and hops and proto == "http":
        yield (
            "BASE_URL: is https, but the proxy says http in X-Forwarded-Proto: browsers without "
            "Sec-Fetch-Site are redirected without end. Have it say how visitors come"
        )


def _is_below(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
