"""`GET /metrics` for Prometheus: counters of all days and all processes, from the daily totals."""

from collections.abc import Iterator, Mapping
from hmac import compare_digest
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.history import totals
from webapp.accounts.history.reasons import BY_ID, Reason
from webapp.accounts.history.totals import ALL_DAYS, Row, in_money
from webapp.accounts.people.phones import UNKNOWN_COUNTRY

if TYPE_CHECKING:
    from prometheus_client.metrics_core import CounterMetricFamily

COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "accounts_texts_sent_total": (
        "Messages and calls that the vendor took; those by the channel notice are no codes",
        ("country", "channel"),
    ),
    "accounts_texts_delivered_total": (
        "Texts and calls that the network delivered",
        ("country", "channel"),
    ),
    "accounts_texts_failed_total": (
        "Texts and calls that the network did not deliver",
        ("country", "channel"),
    ),
    "accounts_verified_total": ("Phones that were verified", ("country",)),
    "accounts_refused_total": ("What was refused, by its reason", ("country", "reason")),
    "accounts_spend_total": ("Money reserved for texts and calls", ("country", "currency")),
}
"""Each counter with its help and its labels."""
UNREFUSED = [(UNKNOWN_COUNTRY, reason.value) for reason in Reason if reason.is_refusal]
"""What begins with zero, so that an alert sees the first refusal for a reason: docs/alerts.yml."""
OF_MESSAGES = {
    Reason.SENT: "accounts_texts_sent_total",
    Reason.DELIVERED: "accounts_texts_delivered_total",
    Reason.FAILED: "accounts_texts_failed_total",
}


async def show(request: Request) -> Response:
    """The counters, for requests with ``METRICS_TOKEN``; 404 where none is set."""
    token = request.app.state.settings.metrics_token
    if not token:
        raise HTTPException(404)
    if not compare_digest(_bearer(request).encode(), token.encode()):
        return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
    from prometheus_client.exposition import (  # noqa: PLC0415 - 2 MB that most sites do not need
        CONTENT_TYPE_PLAIN_0_0_4,
        generate_latest,
    )

    counters = Counters(await totals.of_day(ALL_DAYS), request.app.state.settings.spend_currency)
    return Response(generate_latest(counters), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Counters:
    """A collector, as ``prometheus_client`` calls it, of the totals in ``rows``."""

    def __init__(self, rows: list[Row], currency: str) -> None:
        self.rows, self.currency = rows, currency

    def collect(self) -> Iterator["CounterMetricFamily"]:
        """Each counter with its samples."""
        from prometheus_client.metrics_core import CounterMetricFamily  # noqa: PLC0415 - as above

        samples: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in COUNTERS}
        samples["accounts_refused_total"] = dict.fromkeys(UNREFUSED, 0.0)
        for row in self.rows:
            for name, labels, value in _samples(row, self.currency):
                samples[name][labels] = samples[name].get(labels, 0) + value
        for name, (words, labels_of) in COUNTERS.items():
            family = CounterMetricFamily(name, words, labels=labels_of)
            for labels, value in sorted(samples[name].items()):
                family.add_metric(labels, value)
            yield family


def _samples(row: Row, currency: str) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """What a total adds to which counter, with which labels."""
    reason = BY_ID.get(row.reason)
    if reason in OF_MESSAGES:
        yield OF_MESSAGES[reason], (row.country, row.channel), row.times
        if row.money:  # as reserved: what receipts take back would look like a restart
            yield "accounts_spend_total", (row.country, currency), in_money(row.money)
    elif reason is Reason.VERIFIED:
        yield "accounts_verified_total", (row.country,), row.times
    elif reason and reason.is_refusal:
        yield "accounts_refused_total", (row.country, row.reason), row.times
